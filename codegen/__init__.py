"""Generate Python from the contract: `python -m codegen sync | changes | generate | drift`.

    upstream --sync--> schemas/ --generate--> generated/choria_schemas/

Nothing in here ships. The modules, in the order in which a schema passes through them:

    upstream      read upstream's files from a git repository or a plain folder
    strict_json   decode JSON, rejecting everything ambiguous
    canonical     the stored form of a contract, checked against its metaschema
    lock          the files that are used, and those ignored on purpose
    sync          an update in one step that succeeds or changes nothing
    corrections   differences between upstream's schemas and what Choria sends
    subset        the closed list of keywords and names that can be translated
    descriptions  one sentence for each event and field, in wire order
    contract      all of it loaded: one EffectiveContract for each file
    shape         the input of the dataclass generator, and what types alone enforce
    classes       dataclasses, by datamodel-code-generator
    validators    validators, by fastjsonschema
    package       every file of the generated package, rendered in memory
    files         compare and replace trees of files

and what describes a change of the contract:

    changes       each kind of change, and whom it breaks
    comparison    find the changes between two sets of contracts
    readback      the contracts that the generated package holds

All of them use `problems`; `strict_toml` reads the files written by hand, and `names` derives module and class names.
"""
