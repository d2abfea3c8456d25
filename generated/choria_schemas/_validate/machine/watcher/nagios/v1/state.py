# mypy: ignore-errors
# pyright: basic
# Generated from schemas/choria/machine/watcher/nagios/v1/state.json,
# upstream blob dff120d386373733409c8b4ce6e0a79effe5e669.
# Do not edit: change the source and run `python -m codegen generate`.

VERSION = "2.22.3"
from decimal import Decimal
from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException


NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (dict)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be object", value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.nagios.v1.state', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'name', 'type', 'plugin', 'status', 'status_code', 'output', 'check_time', 'perfdata', 'runtime', 'annotations'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.nagios.v1.state']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'type': {'type': 'string', 'enum': ['nagios']}, 'plugin': {'type': 'string'}, 'status': {'enum': ['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']}, 'status_code': {'type': 'integer', 'minimum': 0, 'maximum': 5}, 'output': {'type': 'string'}, 'check_time': {'type': 'integer'}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}, 'runtime': {'type': 'number'}, 'annotations': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'history': {'type': 'array', 'items': {'type': 'object', 'required': ['execute', 'status'], 'properties': {'execute': {'type': 'string', 'format': 'date-time'}, 'status': {'type': 'integer', 'minimum': 0, 'maximum': 4}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}}}, 'definitions': {'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}, rule='type'))
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'name', 'type', 'plugin', 'status', 'status_code', 'output', 'check_time', 'perfdata', 'runtime', 'annotations']) - data.keys()
        if data__missing_keys:
            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must contain " + (str(sorted(data__missing_keys)) + " properties"), value=data, name="" + (name_prefix or "data") + "", definition={'$schema': 'http://json-schema.org/draft-04/schema#', 'title': 'io.choria.machine.watcher.nagios.v1.state', 'type': 'object', 'required': ['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'name', 'type', 'plugin', 'status', 'status_code', 'output', 'check_time', 'perfdata', 'runtime', 'annotations'], 'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.nagios.v1.state']}, 'id': {'type': 'string'}, 'identity': {'type': 'string'}, 'version': {'type': 'string'}, 'timestamp': {'type': 'integer'}, 'machine': {'type': 'string'}, 'name': {'type': 'string'}, 'type': {'type': 'string', 'enum': ['nagios']}, 'plugin': {'type': 'string'}, 'status': {'enum': ['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']}, 'status_code': {'type': 'integer', 'minimum': 0, 'maximum': 5}, 'output': {'type': 'string'}, 'check_time': {'type': 'integer'}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}, 'runtime': {'type': 'number'}, 'annotations': {'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, 'history': {'type': 'array', 'items': {'type': 'object', 'required': ['execute', 'status'], 'properties': {'execute': {'type': 'string', 'format': 'date-time'}, 'status': {'type': 'integer', 'minimum': 0, 'maximum': 4}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}}}, 'definitions': {'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}, rule='required'))
        data_keys = set(data.keys())
        if "protocol" in data_keys:
            data_keys.remove("protocol")
            data__protocol = data["protocol"]
            if not isinstance(data__protocol, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be string", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.nagios.v1.state']}, rule='type'))
            if not (isinstance(data__protocol, str) and data__protocol == 'io.choria.machine.watcher.nagios.v1.state'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".protocol must be one of ['io.choria.machine.watcher.nagios.v1.state']", value=data__protocol, name="" + (name_prefix or "data") + ".protocol", definition={'type': 'string', 'enum': ['io.choria.machine.watcher.nagios.v1.state']}, rule='enum'))
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
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".name must be string", value=data__name, name="" + (name_prefix or "data") + ".name", definition={'type': 'string'}, rule='type'))
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not isinstance(data__type, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['nagios']}, rule='type'))
            if not (isinstance(data__type, str) and data__type == 'nagios'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['nagios']", value=data__type, name="" + (name_prefix or "data") + ".type", definition={'type': 'string', 'enum': ['nagios']}, rule='enum'))
        if "plugin" in data_keys:
            data_keys.remove("plugin")
            data__plugin = data["plugin"]
            if not isinstance(data__plugin, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".plugin must be string", value=data__plugin, name="" + (name_prefix or "data") + ".plugin", definition={'type': 'string'}, rule='type'))
        if "status" in data_keys:
            data_keys.remove("status")
            data__status = data["status"]
            if not (isinstance(data__status, str) and data__status == 'OK' or isinstance(data__status, str) and data__status == 'CRITICAL' or isinstance(data__status, str) and data__status == 'WARNING' or isinstance(data__status, str) and data__status == 'UNKNOWN' or isinstance(data__status, str) and data__status == 'SKIPPED' or isinstance(data__status, str) and data__status == 'NOTCHECKED'):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status must be one of ['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']", value=data__status, name="" + (name_prefix or "data") + ".status", definition={'enum': ['OK', 'CRITICAL', 'WARNING', 'UNKNOWN', 'SKIPPED', 'NOTCHECKED']}, rule='enum'))
        if "status_code" in data_keys:
            data_keys.remove("status_code")
            data__statuscode = data["status_code"]
            if not isinstance(data__statuscode, (int)) or isinstance(data__statuscode, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status_code must be integer", value=data__statuscode, name="" + (name_prefix or "data") + ".status_code", definition={'type': 'integer', 'minimum': 0, 'maximum': 5}, rule='type'))
            if isinstance(data__statuscode, (int, float, Decimal)) and not isinstance(data__statuscode, bool):
                if data__statuscode < 0:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status_code must be bigger than or equal to 0", value=data__statuscode, name="" + (name_prefix or "data") + ".status_code", definition={'type': 'integer', 'minimum': 0, 'maximum': 5}, rule='minimum'))
                if data__statuscode > 5:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".status_code must be smaller than or equal to 5", value=data__statuscode, name="" + (name_prefix or "data") + ".status_code", definition={'type': 'integer', 'minimum': 0, 'maximum': 5}, rule='maximum'))
        if "output" in data_keys:
            data_keys.remove("output")
            data__output = data["output"]
            if not isinstance(data__output, (str)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".output must be string", value=data__output, name="" + (name_prefix or "data") + ".output", definition={'type': 'string'}, rule='type'))
        if "check_time" in data_keys:
            data_keys.remove("check_time")
            data__checktime = data["check_time"]
            if not isinstance(data__checktime, (int)) or isinstance(data__checktime, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".check_time must be integer", value=data__checktime, name="" + (name_prefix or "data") + ".check_time", definition={'type': 'integer'}, rule='type'))
        if "perfdata" in data_keys:
            data_keys.remove("perfdata")
            data__perfdata = data["perfdata"]
            try:
                validate___definitions_perfdata(data__perfdata, custom_formats, (name_prefix or "data") + ".perfdata")
            except JsonSchemaValuesException as e:
                errors.extend(e.errors)
        if "runtime" in data_keys:
            data_keys.remove("runtime")
            data__runtime = data["runtime"]
            if not isinstance(data__runtime, (int, float, Decimal)) or isinstance(data__runtime, bool):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".runtime must be number", value=data__runtime, name="" + (name_prefix or "data") + ".runtime", definition={'type': 'number'}, rule='type'))
        if "annotations" in data_keys:
            data_keys.remove("annotations")
            data__annotations = data["annotations"]
            if not isinstance(data__annotations, (dict, NoneType)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".annotations must be object or null", value=data__annotations, name="" + (name_prefix or "data") + ".annotations", definition={'type': ['object', 'null'], 'additionalProperties': {'type': 'string'}}, rule='type'))
            data__annotations_is_dict = isinstance(data__annotations, dict)
            if data__annotations_is_dict:
                data__annotations_keys = set(data__annotations.keys())
                for data__annotations_key in data__annotations_keys:
                    if data__annotations_key not in []:
                        data__annotations_value = data__annotations.get(data__annotations_key)
                        if not isinstance(data__annotations_value, (str)):
                            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".annotations.{data__annotations_key}".format(**locals()) + " must be string", value=data__annotations_value, name="" + (name_prefix or "data") + ".annotations.{data__annotations_key}".format(**locals()) + "", definition={'type': 'string'}, rule='type'))
        if "history" in data_keys:
            data_keys.remove("history")
            data__history = data["history"]
            if not isinstance(data__history, (list, tuple)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history must be array", value=data__history, name="" + (name_prefix or "data") + ".history", definition={'type': 'array', 'items': {'type': 'object', 'required': ['execute', 'status'], 'properties': {'execute': {'type': 'string', 'format': 'date-time'}, 'status': {'type': 'integer', 'minimum': 0, 'maximum': 4}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}}, rule='type'))
            data__history_is_list = isinstance(data__history, (list, tuple))
            if data__history_is_list:
                data__history_len = len(data__history)
                for data__history_x, data__history_item in enumerate(data__history):
                    if not isinstance(data__history_item, (dict)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}]".format(**locals()) + " must be object", value=data__history_item, name="" + (name_prefix or "data") + ".history[{data__history_x}]".format(**locals()) + "", definition={'type': 'object', 'required': ['execute', 'status'], 'properties': {'execute': {'type': 'string', 'format': 'date-time'}, 'status': {'type': 'integer', 'minimum': 0, 'maximum': 4}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}, rule='type'))
                    data__history_item_is_dict = isinstance(data__history_item, dict)
                    if data__history_item_is_dict:
                        data__history_item__missing_keys = set(['execute', 'status']) - data__history_item.keys()
                        if data__history_item__missing_keys:
                            errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}]".format(**locals()) + " must contain " + (str(sorted(data__history_item__missing_keys)) + " properties"), value=data__history_item, name="" + (name_prefix or "data") + ".history[{data__history_x}]".format(**locals()) + "", definition={'type': 'object', 'required': ['execute', 'status'], 'properties': {'execute': {'type': 'string', 'format': 'date-time'}, 'status': {'type': 'integer', 'minimum': 0, 'maximum': 4}, 'perfdata': {'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}}}, rule='required'))
                        data__history_item_keys = set(data__history_item.keys())
                        if "execute" in data__history_item_keys:
                            data__history_item_keys.remove("execute")
                            data__history_item__execute = data__history_item["execute"]
                            if not isinstance(data__history_item__execute, (str)):
                                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}].execute".format(**locals()) + " must be string", value=data__history_item__execute, name="" + (name_prefix or "data") + ".history[{data__history_x}].execute".format(**locals()) + "", definition={'type': 'string', 'format': 'date-time'}, rule='type'))
                        if "status" in data__history_item_keys:
                            data__history_item_keys.remove("status")
                            data__history_item__status = data__history_item["status"]
                            if not isinstance(data__history_item__status, (int)) or isinstance(data__history_item__status, bool):
                                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + " must be integer", value=data__history_item__status, name="" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + "", definition={'type': 'integer', 'minimum': 0, 'maximum': 4}, rule='type'))
                            if isinstance(data__history_item__status, (int, float, Decimal)) and not isinstance(data__history_item__status, bool):
                                if data__history_item__status < 0:
                                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + " must be bigger than or equal to 0", value=data__history_item__status, name="" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + "", definition={'type': 'integer', 'minimum': 0, 'maximum': 4}, rule='minimum'))
                                if data__history_item__status > 4:
                                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + " must be smaller than or equal to 4", value=data__history_item__status, name="" + (name_prefix or "data") + ".history[{data__history_x}].status".format(**locals()) + "", definition={'type': 'integer', 'minimum': 0, 'maximum': 4}, rule='maximum'))
                        if "perfdata" in data__history_item_keys:
                            data__history_item_keys.remove("perfdata")
                            data__history_item__perfdata = data__history_item["perfdata"]
                            try:
                                validate___definitions_perfdata(data__history_item__perfdata, custom_formats, (name_prefix or "data") + ".history[{data__history_x}].perfdata".format(**locals()))
                            except JsonSchemaValuesException as e:
                                errors.extend(e.errors)
    if errors: raise JsonSchemaValuesException(errors)
    return data

def validate___definitions_perfdata(data, custom_formats={}, name_prefix=None):
    errors = _Errors()
    if not isinstance(data, (list, tuple, NoneType)):
        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + " must be array or null", value=data, name="" + (name_prefix or "data") + "", definition={'type': ['array', 'null'], 'items': {'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}}, rule='type'))
    data_is_list = isinstance(data, (list, tuple))
    if data_is_list:
        data_len = len(data)
        for data_x, data_item in enumerate(data):
            if not isinstance(data_item, (dict)):
                errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}]".format(**locals()) + " must be object", value=data_item, name="" + (name_prefix or "data") + "[{data_x}]".format(**locals()) + "", definition={'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}, rule='type'))
            data_item_is_dict = isinstance(data_item, dict)
            if data_item_is_dict:
                data_item__missing_keys = set(['label', 'value']) - data_item.keys()
                if data_item__missing_keys:
                    errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}]".format(**locals()) + " must contain " + (str(sorted(data_item__missing_keys)) + " properties"), value=data_item, name="" + (name_prefix or "data") + "[{data_x}]".format(**locals()) + "", definition={'type': 'object', 'additionalItems': False, 'required': ['label', 'value'], 'properties': {'unit': {'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, 'label': {'type': 'string'}, 'value': {'type': 'number'}}}, rule='required'))
                data_item_keys = set(data_item.keys())
                if "unit" in data_item_keys:
                    data_item_keys.remove("unit")
                    data_item__unit = data_item["unit"]
                    if not isinstance(data_item__unit, (str)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}].unit".format(**locals()) + " must be string", value=data_item__unit, name="" + (name_prefix or "data") + "[{data_x}].unit".format(**locals()) + "", definition={'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, rule='type'))
                    if not (isinstance(data_item__unit, str) and data_item__unit == '' or isinstance(data_item__unit, str) and data_item__unit == 's' or isinstance(data_item__unit, str) and data_item__unit == 'ms' or isinstance(data_item__unit, str) and data_item__unit == 'us' or isinstance(data_item__unit, str) and data_item__unit == '%' or isinstance(data_item__unit, str) and data_item__unit == 'B' or isinstance(data_item__unit, str) and data_item__unit == 'KB' or isinstance(data_item__unit, str) and data_item__unit == 'MB' or isinstance(data_item__unit, str) and data_item__unit == 'TB' or isinstance(data_item__unit, str) and data_item__unit == 'c'):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}].unit".format(**locals()) + " must be one of ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']", value=data_item__unit, name="" + (name_prefix or "data") + "[{data_x}].unit".format(**locals()) + "", definition={'type': 'string', 'enum': ['', 's', 'ms', 'us', '%', 'B', 'KB', 'MB', 'TB', 'c']}, rule='enum'))
                if "label" in data_item_keys:
                    data_item_keys.remove("label")
                    data_item__label = data_item["label"]
                    if not isinstance(data_item__label, (str)):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}].label".format(**locals()) + " must be string", value=data_item__label, name="" + (name_prefix or "data") + "[{data_x}].label".format(**locals()) + "", definition={'type': 'string'}, rule='type'))
                if "value" in data_item_keys:
                    data_item_keys.remove("value")
                    data_item__value = data_item["value"]
                    if not isinstance(data_item__value, (int, float, Decimal)) or isinstance(data_item__value, bool):
                        errors.append(JsonSchemaValueException("" + (name_prefix or "data") + "[{data_x}].value".format(**locals()) + " must be number", value=data_item__value, name="" + (name_prefix or "data") + "[{data_x}].value".format(**locals()) + "", definition={'type': 'number'}, rule='type'))
    if errors: raise JsonSchemaValuesException(errors)
    return data


class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
