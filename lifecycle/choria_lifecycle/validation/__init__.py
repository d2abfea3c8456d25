"""Why a document breaks the contract, in words a person can act on."""
