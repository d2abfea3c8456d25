# mypy: ignore-errors
# pyright: basic
# Generated from schemas/local/choria/machine/watcher/machines/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.machines.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'machines', 'previous_outcome', 'previous_run_time'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.machines.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['machines']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'machines': {'type': 'array', 'items': {'type': 'string'}}, 'previous_outcome': {'type': 'string', 'enum': ['unknown', 'skipped', 'error', 'updated', 'unchanged']}, 'previous_run_time': {'type': 'integer'}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'machines', 'previous_outcome', 'previous_run_time']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.machines.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'machines', 'previous_outcome', 'previous_run_time'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.machines.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['machines']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'machines': {'type': 'array', 'items': {'type': 'string'}}, 'previous_outcome': {'type': 'string', 'enum': ['unknown', 'skipped', 'error', 'updated', 'unchanged']}, 'previous_run_time': {'type': 'integer'}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.machines.v1.state']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.watcher.machines.v1.state'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.watcher.machines.v1.state']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.machines.v1.state']}, rule='enum'))
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
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['machines']}, rule='type'))
            if not (isinstance(data__type, str) and data__type == 'machines'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['machines']", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['machines']}, rule='enum'))
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
        if "machines" in data_keys:
            data_keys.remove("machines")
            data__machines = data["machines"]
            if not isinstance(data__machines, (list, tuple)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".machines must be array", value=data__machines, name="" + (name_prefix or "data") + ".machines", definition={'type': 'array', 'items': {'type': 'string'}}, rule='type'))
            data__machines_is_list = isinstance(data__machines, (list, tuple))
            if data__machines_is_list:
                data__machines_len = len(data__machines)
                for data__machines_x, data__machines_item in enumerate(data__machines):
                    if not isinstance(data__machines_item, (str)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".machines[{data__machines_x}]".format(**locals()) + " must be string", value=data__machines_item, name="" + (name_prefix or "data") + ".machines[{data__machines_x}]".format(**locals()) + "", definition={'type': 'string'}, rule='type'))
        if "previous_outcome" in data_keys:
            data_keys.remove("previous_outcome")
            data__previousoutcome = data["previous_outcome"]
            if not isinstance(data__previousoutcome, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_outcome must be string", value=data__previousoutcome, name="" + (name_prefix or "data") + ".previous_outcome", definition={'type': 'string', 'enum': ['unknown', 'skipped', 'error', 'updated', 'unchanged']}, rule='type'))
            if not (isinstance(data__previousoutcome, str) and data__previousoutcome == 'unknown' or isinstance(data__previousoutcome, str) and data__previousoutcome == 'skipped' or isinstance(data__previousoutcome, str) and data__previousoutcome == 'error' or isinstance(data__previousoutcome, str) and data__previousoutcome == 'updated' or isinstance(data__previousoutcome, str) and data__previousoutcome == 'unchanged'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_outcome must be one of ['unknown', 'skipped', 'error', 'updated', 'unchanged']", value=data__previousoutcome, name="" + (name_prefix or "data") + ".previous_outcome", definition={'type': 'string', 'enum': ['unknown', 'skipped', 'error', 'updated', 'unchanged']}, rule='enum'))
        if "previous_run_time" in data_keys:
            data_keys.remove("previous_run_time")
            data__previousruntime = data["previous_run_time"]
            if not isinstance(data__previousruntime, (int)) or isinstance(data__previousruntime, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_run_time must be integer", value=data__previousruntime, name="" + (name_prefix or "data") + ".previous_run_time", definition={'type': 'integer'}, rule='type'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
