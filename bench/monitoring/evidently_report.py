"""Evidently's data drift preset over two Parquet files, with its defaults; one line of JSON with times and values.

    python evidently_report.py REFERENCE CURRENT NUMBERS CATEGORIES      (column names, separated by commas)
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")
begun = time.perf_counter()
import pandas as pd  # noqa: E402
from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402

imported = time.perf_counter()
reference, current = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
read = time.perf_counter()
definition = DataDefinition(numerical_columns=sys.argv[3].split(","), categorical_columns=sys.argv[4].split(","))
report = Report([DataDriftPreset()])
sides = [Dataset.from_pandas(side, data_definition=definition) for side in (current, reference)]
metrics = report.run(*sides).dict()["metrics"]
done = time.perf_counter()
values = {m["config"]["column"]: float(m["value"]) for m in metrics if "column" in m["config"]}
seconds = {"import": imported - begun, "read": read - imported, "report": done - read}
print(json.dumps({"seconds": seconds, "values": values, "drifted": next(m["value"]["count"] for m in metrics if "count" in m["value"])}))
