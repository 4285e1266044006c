"""An analysis as a Workflow RO-Crate, byte for byte the same wherever the same code is installed, and its digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from cinque.analyses import code
from cinque.analyses.analysis import Analysis
from cinque.analyses.schema import parameter_schema
from cinque.errors import Refused
from cinque.lib.digest import sha256_hex

RO_CRATE: Final = "https://w3id.org/ro/crate/1.2"
WORKFLOW_CRATE: Final = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
BIOSCHEMAS: Final = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
CWL: Final = "https://w3id.org/workflowhub/workflow-ro-crate#cwl"
LICENCE: Final = "https://spdx.org/licenses/Apache-2.0"
CWL_TYPE: Final = "text/x-yaml"

_INPUTS: Final = {
    "data": "Rows of the dataset, CSV with a header.",
    "dataset": "JSON: `dictionary` (what researchers see of the dataset) and `unit` (the person's column, or null).",
    "parameters": "JSON: the parameters of the analysis; their schema stands in analysis.json.",
    "history": "JSON: a list of what every member released, one object a round; empty before the first.",
    "appetite": "JSON: the risk appetite of the TRE that disclosure control applies.",
}
_SEES: Final = {
    "enclave": "The TRE's own rows. Of other TREs, in an analysis of several rounds, what they released in each round.",
    "gate": "The signed request; of results only sealed bytes, their digest and size.",
    "hub": "The signed request, who is asked, when and how much is sent; of results only sealed bytes.",
    "researcher": "In mode `open`, what each TRE released, with suppressed figures as bounds, and the combined answer.",
}


@cache
def package(analysis: Analysis[Any]) -> Mapping[str, bytes]:
    """Path -> bytes: metadata, workflow, tool, description and digests of code. Made once a process from the installed
    source. Raises Unavailable where that is missing.
    """
    name = analysis.name
    files = {
        "analysis.json": _json(_description(analysis)),
        "code.json": _json({"algorithm": "sha256", "modules": code.digests(module_of(analysis))}),
        f"{name}-tool.cwl": _tool(analysis).encode(),
        f"{name}.cwl": _workflow(analysis).encode(),
        "ro-crate-metadata.json": _json(_metadata(analysis)),
    }
    return MappingProxyType(files)  # kept for everyone who asks


def digest(files: Mapping[str, bytes]) -> str:
    """`sha256:` and the SHA-256 over the sorted lines `sha256  path`, as sha256sum writes them."""
    lines = sorted(f"{sha256_hex(content)}  {path}\n" for path, content in files.items())
    return "sha256:" + sha256_hex("".join(lines).encode())


def identity(analysis: Analysis[Any]) -> str:
    """`name@version sha256:…`, as agreements and requests name an analysis."""
    return f"{analysis.name}@{analysis.version} {digest(package(analysis))}"


def verify_package(files: Mapping[str, bytes], analysis: Analysis[Any]) -> None:
    """Raises Refused("analysis-differs"), naming the files, unless these are the bytes of the installed analysis."""
    own = package(analysis)
    differing = sorted(path for path in own.keys() | files.keys() if own.get(path) != files.get(path))
    if differing:
        known = [path for path in differing if path in own]
        which = f": {', '.join(known)}" if known else ", by files that it does not have"
        raise Refused(
            "analysis-differs",
            f"The request's `{analysis.name}` is not the `{analysis.name}` {analysis.version} installed here{which}.",
            remedy="Use the same release of Cinque on both sides.",
        )


def module_of(analysis: Analysis[Any]) -> str:
    """The module in which the analysis's pass over the data is written."""
    return analysis.partial.__module__


def _description(analysis: Analysis[Any]) -> dict[str, Any]:
    return {
        "name": analysis.name,
        "version": analysis.version,
        "title": analysis.title,
        "module": module_of(analysis),
        "parameters": parameter_schema(analysis.parameters),
        "rounds": analysis.rounds,
        "exactness": "exact where no figure was suppressed and no TRE is missing; otherwise bounded",
        "figures": [
            {
                "id": field.id,
                "unit": field.unit,
                "statbarn": f"https://www.w3id.org/statbarnsdc#{field.statbarn}",
                "description": field.description,
            }
            for field in analysis.fields
        ],
        "suppressed": {"suppressed": True, "at_least": "number or null", "at_most": "number or null"},
        "sees": _SEES,
    }


def _workflow(analysis: Analysis[Any]) -> str:
    inputs = "".join(f"  {name}:\n    type: File\n    doc: {_quoted(doc)}\n" for name, doc in _INPUTS.items())
    links = "".join(f"      {name}: {name}\n" for name in _INPUTS)
    return f"""\
cwlVersion: v1.2
class: Workflow
label: {_quoted(analysis.title)}
inputs:
{inputs}\
outputs:
  released:
    type: File
    outputSource: run/released
    doc: What disclosure control lets out of the partial, RFC 8785 JSON.
steps:
  run:
    run: {analysis.name}-tool.cwl
    in:
{links}\
    out: [released]
"""


def _tool(analysis: Analysis[Any]) -> str:
    inputs = "".join(f"  {name}:\n    type: File\n    inputBinding: {{prefix: --{name}}}\n" for name in _INPUTS)
    return f"""\
cwlVersion: v1.2
class: CommandLineTool
label: {_quoted(f"One round of {analysis.name} {analysis.version} in one TRE")}
hints:
  SoftwareRequirement:
    packages:
      - package: cinque
requirements:
  NetworkAccess:
    networkAccess: false
baseCommand: [python3, -m, cinque.analyses.run, {module_of(analysis)}]
arguments: [--output, released.json]
inputs:
{inputs}\
outputs:
  released:
    type: File
    outputBinding: {{glob: released.json}}
"""


def _metadata(analysis: Analysis[Any]) -> dict[str, Any]:
    name = analysis.name
    workflow, tool = f"{name}.cwl", f"{name}-tool.cwl"
    described = {
        "analysis.json": "Parameters, figures, rounds and what every party sees",
        "code.json": "Digests of the code that makes and combines the partials",
    }
    formal = [
        {
            "@id": f"#{input}",
            "@type": "FormalParameter",
            "name": input,
            "description": doc,
            "additionalType": "File",
            "valueRequired": True,
        }
        for input, doc in _INPUTS.items()
    ]
    return {
        "@context": f"{RO_CRATE}/context",
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": _ref("./"),
                "conformsTo": [_ref(RO_CRATE), _ref(WORKFLOW_CRATE)],
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": f"{name} {analysis.version}",
                "description": f"{analysis.title}: a typed analysis of Cinque, one round in one TRE.",
                "datePublished": analysis.published,
                "license": _ref(LICENCE),
                "conformsTo": _ref(WORKFLOW_CRATE),
                "version": analysis.version,
                "mainEntity": _ref(workflow),
                "hasPart": [_ref(path) for path in (workflow, tool, *described)],
            },
            {
                "@id": WORKFLOW_CRATE,
                "@type": ["CreativeWork", "Profile"],
                "name": "Workflow RO-Crate",
                "version": "1.0",
            },
            {"@id": LICENCE, "@type": "CreativeWork", "name": "Apache License 2.0", "identifier": "Apache-2.0"},
            {
                "@id": workflow,
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": analysis.title,
                "version": analysis.version,
                "conformsTo": _ref(BIOSCHEMAS),
                "programmingLanguage": _ref(CWL),
                "encodingFormat": CWL_TYPE,
                "license": _ref(LICENCE),
                "creator": _ref("#cinque"),
                "dateCreated": analysis.published,
                "input": [_ref(f"#{input}") for input in _INPUTS],
                "output": [_ref("#released")],
                "hasPart": [_ref(tool)],
            },
            {"@id": BIOSCHEMAS, "@type": "CreativeWork", "name": "Bioschemas ComputationalWorkflow 1.0"},
            {
                "@id": tool,
                "@type": ["File", "SoftwareSourceCode"],
                "name": f"The tool that {workflow} runs",
                "programmingLanguage": _ref(CWL),
                "encodingFormat": CWL_TYPE,
            },
            {
                "@id": CWL,
                "@type": "ComputerLanguage",
                "name": "Common Workflow Language",
                "alternateName": "CWL",
                "identifier": _ref("https://w3id.org/cwl/v1.2/"),
                "url": _ref("https://www.commonwl.org/"),
            },
            *(
                {"@id": path, "@type": "File", "name": text, "encodingFormat": "application/json"}
                for path, text in described.items()
            ),
            *formal,
            {"@id": "#released", "@type": "FormalParameter", "name": "released", "additionalType": "File"},
            {"@id": "#cinque", "@type": "Organization", "name": "The Cinque project"},
        ],
    }


def _ref(id: str) -> dict[str, str]:
    return {"@id": id}


def _quoted(text: str) -> str:
    """A text as YAML: its JSON form is one."""
    return json.dumps(text, ensure_ascii=False)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
