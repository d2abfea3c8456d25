# mypy: ignore-errors
# pyright: basic
# Generated from schemas/choria/machine/v1/transition.json,
# upstream blob c83a793723a6f3446ae9c7073d76402e2cf5fb39.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.v1.transition', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'transition', 'from_state', 'to_state'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.v1.transition']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'machine': {'type': 'string'}, 'transition': {'type': 'string'}, 'from_state': {'type': 'string'}, 'to_state': {'type': 'string'}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'transition', 'from_state', 'to_state']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.v1.transition', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'transition', 'from_state', 'to_state'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.v1.transition']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'machine': {'type': 'string'}, 'transition': {'type': 'string'}, 'from_state': {'type': 'string'}, 'to_state': {'type': 'string'}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.v1.transition']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.v1.transition'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.v1.transition']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.v1.transition']}, rule='enum'))
        if "id" in data_keys:
            data_keys.remove("id")
            data__id = data["id"]
            if not isinstance(data__id, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".id must be string", value=data__id, name="" + (name_prefix or "data") + ".id", definition={'type': 'string'}, rule='type'))
        if "identity" in data_keys:
            data_keys.remove("identity")
            data__identity = data["identity"]
            if not isinstance(data__identity, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".identity must be string", value=data__identity, name="" + (name_prefix or "data") + ".identity", definition={'type': 'string'}, rule='type'))
        if "version" in data_keys:
            data_keys.remove("version")
            data__version = data["version"]
            if not isinstance(data__version, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".version must be string", value=data__version, name="" + (name_prefix or "data") + ".version", definition={'type': 'string'}, rule='type'))
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int)) or isinstance(data__timestamp, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".timestamp must be integer", value=data__timestamp, name="" + (name_prefix or "data") + ".timestamp", definition={'type': 'integer'}, rule='type'))
        if "machine" in data_keys:
            data_keys.remove("machine")
            data__machine = data["machine"]
            if not isinstance(data__machine, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".machine must be string", value=data__machine, name="" + (name_prefix or "data") + ".machine", definition={'type': 'string'}, rule='type'))
        if "transition" in data_keys:
            data_keys.remove("transition")
            data__transition = data["transition"]
            if not isinstance(data__transition, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".transition must be string", value=data__transition, name="" + (name_prefix or "data") + ".transition", definition={'type': 'string'}, rule='type'))
        if "from_state" in data_keys:
            data_keys.remove("from_state")
            data__fromstate = data["from_state"]
            if not isinstance(data__fromstate, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".from_state must be string", value=data__fromstate, name="" + (name_prefix or "data") + ".from_state", definition={'type': 'string'}, rule='type'))
        if "to_state" in data_keys:
            data_keys.remove("to_state")
            data__tostate = data["to_state"]
            if not isinstance(data__tostate, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".to_state must be string", value=data__tostate, name="" + (name_prefix or "data") + ".to_state", definition={'type': 'string'}, rule='type'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
