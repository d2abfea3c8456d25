# mypy: ignore-errors
# pyright: basic
# Generated from schemas/local/choria/machine/watcher/metric/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.metric.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'metrics'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.metric.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['metric']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'metrics': {'type': 'object', 'required': ['labels', 'metrics', 'time'], 'properties': {'labels': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'metrics': {'type': 'object', 'additionalProperties': {'type': 'number'}}, 'time': {'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}}}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'metrics']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.metric.v1.state', 'type': 'object', 'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'metrics'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.metric.v1.state']}, 'identity': {'type': 'string'}, 'id': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'type': {'type': 'string', 'enum': ['metric']}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'metrics': {'type': 'object', 'required': ['labels', 'metrics', 'time'], 'properties': {'labels': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'metrics': {'type': 'object', 'additionalProperties': {'type': 'number'}}, 'time': {'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}}}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.metric.v1.state']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.watcher.metric.v1.state'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.watcher.metric.v1.state']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.metric.v1.state']}, rule='enum'))
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
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['metric']}, rule='type'))
            if not (isinstance(data__type, str) and data__type == 'metric'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['metric']", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['metric']}, rule='enum'))
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
        if "metrics" in data_keys:
            data_keys.remove("metrics")
            data__metrics = data["metrics"]
            if not isinstance(data__metrics, (dict)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics must be object", value=data__metrics, name="" + (name_prefix or "data") + ".metrics", definition={'type': 'object', 'required': ['labels', 'metrics', 'time'], 'properties': {'labels': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'metrics': {'type': 'object', 'additionalProperties': {'type': 'number'}}, 'time': {'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}}}, rule='type'))
            data__metrics_is_dict = isinstance(data__metrics, dict)
            if data__metrics_is_dict:
                data__metrics__missing_keys = set(['labels', 'metrics', 'time']) - data__metrics.keys()
                if data__metrics__missing_keys:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics must contain " + (str(sorted(data__metrics__missing_keys)) + " properties"), value=data__metrics, name="" + (name_prefix or "data") + ".metrics", definition={'type': 'object', 'required': ['labels', 'metrics', 'time'], 'properties': {'labels': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'metrics': {'type': 'object', 'additionalProperties': {'type': 'number'}}, 'time': {'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}}}, rule='required'))
                data__metrics_keys = set(data__metrics.keys())
                if "labels" in data__metrics_keys:
                    data__metrics_keys.remove("labels")
                    data__metrics__labels = data__metrics["labels"]
                    if not isinstance(data__metrics__labels, (dict, NoneType)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.labels must be object or null", value=data__metrics__labels, name="" + (name_prefix or "data") + ".metrics.labels", definition={'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, rule='type'))
                    data__metrics__labels_is_dict = isinstance(data__metrics__labels, dict)
                    if data__metrics__labels_is_dict:
                        data__metrics__labels_keys = set(data__metrics__labels.keys())
                        for data__metrics__labels_key in data__metrics__labels_keys:
                            if data__metrics__labels_key not in []:
                                data__metrics__labels_value = data__metrics__labels.get(data__metrics__labels_key)
                                if not isinstance(data__metrics__labels_value, (str)):
                                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.labels.{data__metrics__labels_key}".format(**locals()) + " must be string", value=data__metrics__labels_value, name="" + (name_prefix or "data") + ".metrics.labels.{data__metrics__labels_key}".format(**locals()) + "", definition={'type': 'string'}, rule='type'))
                if "metrics" in data__metrics_keys:
                    data__metrics_keys.remove("metrics")
                    data__metrics__metrics = data__metrics["metrics"]
                    if not isinstance(data__metrics__metrics, (dict)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.metrics must be object", value=data__metrics__metrics, name="" + (name_prefix or "data") + ".metrics.metrics", definition={'type': 'object', 'additionalProperties': {'type': 'number'}}, rule='type'))
                    data__metrics__metrics_is_dict = isinstance(data__metrics__metrics, dict)
                    if data__metrics__metrics_is_dict:
                        data__metrics__metrics_keys = set(data__metrics__metrics.keys())
                        for data__metrics__metrics_key in data__metrics__metrics_keys:
                            if data__metrics__metrics_key not in []:
                                data__metrics__metrics_value = data__metrics__metrics.get(data__metrics__metrics_key)
                                if not isinstance(data__metrics__metrics_value, (int, float, Decimal)) or isinstance(data__metrics__metrics_value, bool):
                                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.metrics.{data__metrics__metrics_key}".format(**locals()) + " must be number", value=data__metrics__metrics_value, name="" + (name_prefix or "data") + ".metrics.metrics.{data__metrics__metrics_key}".format(**locals()) + "", definition={'type': 'number'}, rule='type'))
                if "time" in data__metrics_keys:
                    data__metrics_keys.remove("time")
                    data__metrics__time = data__metrics["time"]
                    if not isinstance(data__metrics__time, (int)) or isinstance(data__metrics__time, bool):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.time must be integer", value=data__metrics__time, name="" + (name_prefix or "data") + ".metrics.time", definition={'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}, rule='type'))
                    if isinstance(data__metrics__time, (int, float, Decimal)) and not isinstance(data__metrics__time, bool):
                        if data__metrics__time < -9223372036854775808:
                            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.time must be bigger than or equal to -9223372036854775808", value=data__metrics__time, name="" + (name_prefix or "data") + ".metrics.time", definition={'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}, rule='minimum'))
                        if data__metrics__time > 9223372036854775807:
                            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".metrics.time must be smaller than or equal to 9223372036854775807", value=data__metrics__time, name="" + (name_prefix or "data") + ".metrics.time", definition={'type': 'integer', 'minimum': -9223372036854775808, 'maximum': 9223372036854775807}, rule='maximum'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
