# mypy: ignore-errors
# pyright: basic
# Generated from schemas/local/choria/machine/watcher/gossip/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.gossip.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_subject', 'previous_payload', 'previous_gossip'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.gossip.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['gossip']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'previous_subject': {'type': 'string'}, 'previous_payload': {'type': 'string'}, 'previous_gossip': {'type': 'integer'}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_subject', 'previous_payload', 'previous_gossip']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.gossip.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_subject', 'previous_payload', 'previous_gossip'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.gossip.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['gossip']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'previous_subject': {'type': 'string'}, 'previous_payload': {'type': 'string'}, 'previous_gossip': {'type': 'integer'}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.gossip.v1.state']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.watcher.gossip.v1.state'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.watcher.gossip.v1.state']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.gossip.v1.state']}, rule='enum'))
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
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['gossip']}, rule='type'))
            if not (isinstance(data__type, str) and data__type == 'gossip'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['gossip']", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['gossip']}, rule='enum'))
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
        if "previous_subject" in data_keys:
            data_keys.remove("previous_subject")
            data__previoussubject = data["previous_subject"]
            if not isinstance(data__previoussubject, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_subject must be string", value=data__previoussubject, name="" + (name_prefix or "data") + ".previous_subject", definition={'type': 'string'}, rule='type'))
        if "previous_payload" in data_keys:
            data_keys.remove("previous_payload")
            data__previouspayload = data["previous_payload"]
            if not isinstance(data__previouspayload, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_payload must be string", value=data__previouspayload, name="" + (name_prefix or "data") + ".previous_payload", definition={'type': 'string'}, rule='type'))
        if "previous_gossip" in data_keys:
            data_keys.remove("previous_gossip")
            data__previousgossip = data["previous_gossip"]
            if not isinstance(data__previousgossip, (int)) or isinstance(data__previousgossip, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".previous_gossip must be integer", value=data__previousgossip, name="" + (name_prefix or "data") + ".previous_gossip", definition={'type': 'integer'}, rule='type'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
