# mypy: ignore-errors
# pyright: basic
# Generated from schemas/local/choria/lifecycle/v1/governor.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.lifecycle.v1.governor', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'component', 'timestamp', 'governor', 'sequence', 'event_type'], 'properties': {'protocol': {'type': 'string', 'enum': ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'component': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'governor': {'type': 'string', 'minLength': 1}, 'sequence': {'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}, 'event_type': {'type': 'string', 'enum': ['enter', 'exit', 'timeouts', 'eviction']}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'id', 'identity', 'component', 'timestamp', 'governor', 'sequence', 'event_type']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.lifecycle.v1.governor', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'component', 'timestamp', 'governor', 'sequence', 'event_type'], 'properties': {'protocol': {'type': 'string', 'enum': ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'component': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'governor': {'type': 'string', 'minLength': 1}, 'sequence': {'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}, 'event_type': {'type': 'string', 'enum': ['enter', 'exit', 'timeouts', 'eviction']}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'choria:lifecycle:governor:1' or isinstance(data__protocol, str) and data__protocol == 'io.choria.lifecycle.v1.governor'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']}, rule='enum'))
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
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int)) or isinstance(data__timestamp, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".timestamp must be integer", value=data__timestamp, name="" + (name_prefix or "data") + ".timestamp", definition={'type': 'integer'}, rule='type'))
        if "governor" in data_keys:
            data_keys.remove("governor")
            data__governor = data["governor"]
            if not isinstance(data__governor, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".governor must be string", value=data__governor, name="" + (name_prefix or "data") + ".governor", definition={'type': 'string', 'minLength': 1}, rule='type'))
            if isinstance(data__governor, str):
                data__governor_len = len(data__governor)
                if data__governor_len < 1:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".governor must be longer than or equal to 1 characters", value=data__governor, name="" + (name_prefix or "data") + ".governor", definition={'type': 'string', 'minLength': 1}, rule='minLength'))
        if "sequence" in data_keys:
            data_keys.remove("sequence")
            data__sequence = data["sequence"]
            if not isinstance(data__sequence, (int)) or isinstance(data__sequence, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".sequence must be integer", value=data__sequence, name="" + (name_prefix or "data") + ".sequence", definition={'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}, rule='type'))
            if isinstance(data__sequence, (int, float, Decimal)) and not isinstance(data__sequence, bool):
                if data__sequence < 0:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".sequence must be bigger than or equal to 0", value=data__sequence, name="" + (name_prefix or "data") + ".sequence", definition={'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}, rule='minimum'))
                if data__sequence > 18446744073709551615:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".sequence must be smaller than or equal to 18446744073709551615", value=data__sequence, name="" + (name_prefix or "data") + ".sequence", definition={'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}, rule='maximum'))
        if "event_type" in data_keys:
            data_keys.remove("event_type")
            data__eventtype = data["event_type"]
            if not isinstance(data__eventtype, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".event_type must be string", value=data__eventtype, name="" + (name_prefix or "data") + ".event_type", definition={'type': 'string', 'enum': ['enter', 'exit', 'timeouts', 'eviction']}, rule='type'))
            if not (isinstance(data__eventtype, str) and data__eventtype == 'enter' or isinstance(data__eventtype, str) and data__eventtype == 'exit' or isinstance(data__eventtype, str) and data__eventtype == 'timeouts' or isinstance(data__eventtype, str) and data__eventtype == 'eviction'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".event_type must be one of ['enter', 'exit', 'timeouts', 'eviction']", value=data__eventtype, name="" + (name_prefix or "data") + ".event_type", definition={'type': 'string', 'enum': ['enter', 'exit', 'timeouts', 'eviction']}, rule='enum'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
