"""How a contract becomes Python: `python -m codegen sync | generate | drift`.

    upstream --sync--> schemas/ --generate--> generated/choria_schemas/

Nothing in here ships. The modules, in the order a schema passes through them:

    upstream     the files as upstream has them, from a git repository or a plain folder
    jsontext     bytes to JSON, strictly
    canonical    the form in which a contract is kept, and its check against the metaschema
    lock         what was taken, what is ignored on purpose
    changes      what an update means, in the words of the contract
    sync         the four above, in one step that either happens or does not
    corrections  where Choria sends something else than upstream's schema says
    subset       the closed list of keywords and names that can be translated
    descriptions one sentence for each event and field, and their order on the wire
    contract     all of it loaded: one Contract for each file
    shape        what the generator of dataclasses is given, and whether types alone enforce a schema
    classes      dataclasses, by datamodel-code-generator
    validators   validators, by fastjsonschema
    package      every file of the generated package, rendered in memory
    files        writing and comparing trees
"""
