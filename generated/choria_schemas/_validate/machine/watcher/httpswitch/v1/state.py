# mypy: ignore-errors
# pyright: basic
# Generated from schemas/local/choria/machine/watcher/httpswitch/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.httpswitch.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'status', 'is_on', 'annotations'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.httpswitch.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['httpswitch']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'status': {'type': 'string', 'enum': ['unknown', 'on', 'off']}, 'is_on': {'type': 'boolean'}, 'annotations': {'type': 'object', 'additionalProperties': {'type': 'string'}}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'status', 'is_on', 'annotations']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.httpswitch.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'status', 'is_on', 'annotations'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.httpswitch.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['httpswitch']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'status': {'type': 'string', 'enum': ['unknown', 'on', 'off']}, 'is_on': {'type': 'boolean'}, 'annotations': {'type': 'object', 'additionalProperties': {'type': 'string'}}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.httpswitch.v1.state']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.watcher.httpswitch.v1.state'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.watcher.httpswitch.v1.state']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.httpswitch.v1.state']}, rule='enum'))
        if "identity" in data_keys:
            data_keys.remove("identity")
            data__identity = data["identity"]
            if not isinstance(data__identity, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".identity must be string", value=data__identity, name="" + (name_prefix or "data") + ".identity", definition={'type': 'string'}, rule='type'))
        if "id" in data_keys:
            data_keys.remove("id")
            data__id = data["id"]
            if not isinstance(data__id, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".id must be string", value=data__id, name="" + (name_prefix or "data") + ".id", definition={'type': 'string'}, rule='type'))
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
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not isinstance(data__type, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['httpswitch']}, rule='type'))
            if not (isinstance(data__type, str) and data__type == 'httpswitch'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['httpswitch']", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['httpswitch']}, rule='enum'))
        if "machine" in data_keys:
            data_keys.remove("machine")
            data__machine = data["machine"]
            if not isinstance(data__machine, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".machine must be string", value=data__machine, name="" + (name_prefix or "data") + ".machine", definition={'type': 'string'}, rule='type'))
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".name must be string", value=data__name, name="" + (name_prefix or "data") + ".name", definition={'type': 'string'}, rule='type'))
        if "status" in data_keys:
            data_keys.remove("status")
            data__status = data["status"]
            if not isinstance(data__status, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status must be string", value=data__status, name="" + (name_prefix or "data") + ".status", definition={'type': 'string', 'enum': ['unknown', 'on', 'off']}, rule='type'))
            if not (isinstance(data__status, str) and data__status == 'unknown' or isinstance(data__status, str) and data__status == 'on' or isinstance(data__status, str) and data__status == 'off'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status must be one of ['unknown', 'on', 'off']", value=data__status, name="" + (name_prefix or "data") + ".status", definition={'type': 'string', 'enum': ['unknown', 'on', 'off']}, rule='enum'))
        if "is_on" in data_keys:
            data_keys.remove("is_on")
            data__ison = data["is_on"]
            if not isinstance(data__ison, (bool)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".is_on must be boolean", value=data__ison, name="" + (name_prefix or "data") + ".is_on", definition={'type': 'boolean'}, rule='type'))
        if "annotations" in data_keys:
            data_keys.remove("annotations")
            data__annotations = data["annotations"]
            if not isinstance(data__annotations, (dict)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".annotations must be object", value=data__annotations, name="" + (name_prefix or "data") + ".annotations", definition={'type': 'object', 'additionalProperties': {'type': 'string'}}, rule='type'))
            data__annotations_is_dict = isinstance(data__annotations, dict)
            if data__annotations_is_dict:
                data__annotations_keys = set(data__annotations.keys())
                for data__annotations_key in data__annotations_keys:
                    if data__annotations_key not in []:
                        data__annotations_value = data__annotations.get(data__annotations_key)
                        if not isinstance(data__annotations_value, (str)):
                            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".annotations.{data__annotations_key}".format(**locals()) + " must be string", value=data__annotations_value, name="" + (name_prefix or "data") + ".annotations.{data__annotations_key}".format(**locals()) + "", definition={'type': 'string'}, rule='type'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
