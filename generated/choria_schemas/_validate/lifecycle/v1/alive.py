# mypy: ignore-errors
# pyright: basic
# Generated from schemas/choria/lifecycle/v1/alive.json,
# upstream blob 781222a4ccc92162025be0cc8b43a42f51516b0b.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.lifecycle.v1.alive', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'component', 'version', 'timestamp'], 'properties': {'protocol': {'type': 'string', 'enum': ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'component': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'id', 'identity', 'component', 'version', 'timestamp']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.lifecycle.v1.alive', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'component', 'version', 'timestamp'], 'properties': {'protocol': {'type': 'string', 'enum': ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'component': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'choria:lifecycle:alive:1' or isinstance(data__protocol, str) and data__protocol == 'io.choria.lifecycle.v1.alive'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']}, rule='enum'))
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
        if "component" in data_keys:
            data_keys.remove("component")
            data__component = data["component"]
            if not isinstance(data__component, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".component must be string", value=data__component, name="" + (name_prefix or "data") + ".component", definition={'type': 'string'}, rule='type'))
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
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
