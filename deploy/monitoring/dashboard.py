#!/usr/bin/env python3
"""Prints the dashboard's expressions as a rules file for promtool (JSON is YAML), or the mistakes of the dashboard.

Owns: the mistakes that Grafana reports only on an open dashboard. Does not own: whether an expression parses (promtool).
Grafana's variables are replaced by a time, a name or a pattern.
"""

import json
import sys
from pathlib import Path

VARIABLES = {"$__rate_interval": "1m", "$job": "windrow", "$instance": ".*"}


def replaced(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def mistakes(dashboard: dict) -> list[str]:
    found = []
    panels = dashboard["panels"]
    numbers = [panel["id"] for panel in panels]
    if len(set(numbers)) != len(numbers):
        found.append("two panels have the same id")
    taken = set()
    for panel in panels:
        title, place = panel["title"], panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        if cells & taken or place["x"] + place["w"] > 24:
            found.append(f"{title}: overlaps another panel or the edge")
        taken |= cells
        if panel["type"] == "row":
            continue
        if not panel["description"]:
            found.append(f"{title}: has no description")
        if not panel["fieldConfig"]["defaults"]["unit"]:
            found.append(f"{title}: has no unit")
        if not panel["targets"]:
            found.append(f"{title}: shows nothing")
        for query in (panel, *panel["targets"]):
            if query["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
                found.append(f"{title}: has a data source of its own")
    return found


def expressions(dashboard: dict) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [one["expr"] for one in dashboard["annotations"]["list"] if "expr" in one]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found.append(variable["definition"].removeprefix("label_values(").rsplit(",", 1)[0])
    return [replaced(expression) for expression in found]


def main() -> None:
    dashboard = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if wrong := mistakes(dashboard):
        sys.exit("\n".join(wrong))
    rules = [{"record": f"dashboard:{number}", "expr": expr} for number, expr in enumerate(expressions(dashboard))]
    if left := [rule["expr"] for rule in rules if "$" in rule["expr"]]:
        sys.exit(f"unknown variables in: {left}")
    print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}, indent=1))


if __name__ == "__main__":
    main()
