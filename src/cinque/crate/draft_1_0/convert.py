"""A Five Safes RO-Crate 0.4 becomes an activity record of the 1.0 draft: what each phase is there, and what is none.

The plan and the asking come out of the requested run, the decisions out of sign-off and disclosure checks, software
steps back behind the organisation it acted for. Nothing is inferred: what 0.4 does not say is not said, but reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from cinque.crate.draft_1_0.carried import Carrier, Parts, Source
from cinque.crate.draft_1_0.process import Process, ask, decide, execution, output_check, receive, review
from cinque.crate.draft_1_0.record import Asset, Plan
from cinque.crate.graph import ROOT, ref
from cinque.crate.index import Node, is_absolute, is_local_path
from cinque.crate.profiles.five_safes_1_0_draft.checks import well_dated
from cinque.crate.stages import phases, stage_of, state
from cinque.lib.ids import derived_urn

_ACTION: Final = (
    "name", "agent", "actionStatus", "startTime", "endTime", "object", "instrument", "result", "additionalType",
    "description", "provider", "error",
)  # fmt: skip


def convert(source: Source) -> Parts:
    """The parts of the record that this crate makes. Never raises for what a conforming crate says."""
    work = _Work(source, phases(source.index), Parts())
    work.run()
    return work.parts


@dataclass(slots=True)
class _Work(Carrier):
    asks: dict[str, str] = field(default_factory=dict)  # whom was asked -> the AskAction

    def run(self) -> None:
        self.parts.tre = self._tre()
        self._carry_all()
        self._root()
        main = self._main()
        if main is not None:
            self._plan(main)
        assessed = self._checks()
        self._sign_off(assessed)
        if main is not None:
            self._execution(main)
        self._disclosure()
        self._receiving()
        self._other_actions(main)

    # ---------------------------------------------------------------------------------------- plan, asking, running

    def _main(self) -> Node | None:
        workflow = set(self.index.root.ids("mainEntity")) if self.index.root is not None else set()
        fits = [run for run in self.found.run if workflow & set(run.ids("instrument"))]
        return next(iter([*fits, *self.found.run]), None)

    def _plan(self, run: Node) -> None:
        parts = dict.fromkeys((*self._names(run, "instrument"), *self._names(run, "object")))
        name = run.text("name") or "The requested run"
        self.parts.plan = Plan(self.source.mint("plan", run.id), name, run.text("description"), tuple(parts))
        self.parts.requester, _ = self._party(run)
        asked = [self.source.name(node.id) for node in self.index.linked(run, "provider", "Organization")]
        asked = asked or ([self.parts.tre] if self.parts.tre else [])
        at = self._asked_at(run)
        for recipient in asked if at and self.parts.requester else ():
            process = ask(
                self.source.mint(f"ask {recipient}", run.id),
                f"Request: {name}",
                agent=self.parts.requester,
                plan=self.parts.plan.id,
                recipient=recipient,
                at=at,
            )
            self.asks[recipient] = process.id
            self.parts.processes.append(process)
        became = [self.parts.plan.id, *self.asks.values()]
        self.ledger.entity(run.id, " ".join(became), "The requested run: a plan, and who was asked for it.", *_ACTION)
        if not self.asks:
            why = "Whom it was submitted to, or when, is not said: 1.0 has the plan alone (R231)."
            self.ledger.property(run.id, "asked", "", why)

    def _asked_at(self, run: Node) -> str:
        """When it was asked. Where 0.4 does not say, the first recorded step: by then it had been."""
        if self.source.issued:
            return self.source.issued
        root = self.index.root
        published = _time(root, "datePublished") if root is not None else ""
        if stage_of(self.found) == "request":
            return published
        steps = (*self.found.check, *self.found.validation, *self.found.retrieval, *self.found.sign_off, run)
        times = [time for step in steps if (time := _time(step, "startTime") or _time(step, "endTime"))]
        why = "When it was asked is not recorded; the first recorded step stands for it: by then it had been."
        self.ledger.property(run.id, "asked", "endTime of the AskAction", why)
        return min(times, key=_instant, default=published)

    def _execution(self, run: Node) -> None:
        status, start, end = state(run), _time(run, "startTime"), _time(run, "endTime")
        if status in ("", "Potential"):
            return
        if self.parts.plan is None or not start or (status != "Active" and not end):
            self.ledger.property(
                run.id, "actionStatus", "", "When, or whether, it ran is not said: no execution (R225)."
            )
            return
        # Its own in each TRE, where the same request runs in several
        id = derived_urn(self.source.namespace, f"run {run.id}")
        engines = [each for each in self.index.subjects(run, "result") if each.is_a("OrganizeAction")]
        agent, tools = self._party(engines[0] if engines else run)
        used: list[str] = [*self._names(run, "instrument"), *tools]
        objects = [*self._names(run, "object")]
        for engine in engines:
            used += self._names(engine, "instrument")
            objects += self._names(engine, "object")
            self.ledger.entity(engine.id, id, "The engine: an instrument of the run.", *_ACTION)
        self.ledger.property(run.id, "actionStatus", id, "What ran is an action of its own, linked to the plan (R233).")
        results = [] if status == "Active" else [self._output(id) for id in run.ids("result")]
        said = "" if results or status != "Completed" else "It completed, and no output is recorded."
        self.parts.processes.append(
            execution(
                id, run.text("name") or "Run", agent=agent, plan=self.parts.plan.id,
                started=start, ended=end, failed=status == "Failed", provider=self.parts.tre,
                objects=tuple(dict.fromkeys(id for id in objects if id not in results)),
                instruments=tuple(dict.fromkeys(used)), results=tuple(results),
                description=run.text("description") or said,
            )
        )  # fmt: skip

    def _output(self, id: str) -> str:
        """An output under an identity of its own, its file linked to it (R218, R219)."""
        node = self.index.by_id.get(id)
        if node is None or not is_local_path(id):
            return self.source.name(id)
        asset = self.source.mint("asset", id)
        name = node.text("name") or id
        if asset not in [known.id for known in self.parts.assets]:
            self.parts.assets.append(Asset(asset, f"Output {name}"))
            entity = self.parts.others[self.source.name(id)]
            way = "encodesCreativeWork" if node.is_a("File") else "exampleOfWork"
            had = entity.get(way, [])
            entity[way] = [*(had if isinstance(had, list) else [had]), ref(asset)]
        return asset

    # ------------------------------------------------------------------------------------------------------ reviews

    def _base(self, action: Node, what: str) -> dict[str, Any] | None:
        """What every process is made of; None, and a word why, where 1.0 could not say it."""
        agent, tools = self._party(action)
        status, end = state(action), _time(action, "endTime")
        if status == "Potential" or not status:
            self.ledger.entity(action.id, "", f"{what}: it had not begun, and 1.0 records no intentions (R224).")
        elif not agent:
            self.ledger.entity(action.id, "", f"{what}: no person or organisation is named as its agent (R223).")
        elif status != "Active" and not end:
            self.ledger.entity(action.id, "", f"{what}: it does not say when it ended (R225).")
        else:
            self.ledger.entity(action.id, self.source.name(action.id), f"{what}, in the form of 1.0.", *_ACTION)
            return {
                "id": self.source.name(action.id),
                "name": action.text("name") or what,
                "agent": agent,
                "provider": self.parts.tre,
                "instruments": tuple(dict.fromkeys((*tools, *self._names(action, "instrument")))),
                "started": _time(action, "startTime"),
                "ended": "" if status == "Active" else end,
            }
        return None

    def _checks(self) -> tuple[str, ...]:
        """Checks, validations and the retrieval; the ids of those that found something wrong. A failed one of 0.4 ran
        to its end: completed, and its findings told.
        """
        failed = []
        for action in (*self.found.check, *self.found.validation, *self.found.retrieval):
            retrieval = action.is_a("DownloadAction")
            base = self._base(action, "Retrieval of the workflow" if retrieval else "Check")
            if base is None:
                continue
            if state(action) == "Failed":
                failed.append(base["id"])
            about = (self.parts.plan.id,) if self.parts.plan is not None else (self._unnamed(),)
            self.parts.processes.append(
                Process(
                    kind="Action" if retrieval else "AssessAction",
                    also=("DownloadAction",) if retrieval else (),
                    objects=self._names(action, "object") if retrieval else about,
                    results=self._names(action, "result") if retrieval else (),
                    additional_type=_term(action),
                    description=self._said(action),
                    failed=retrieval and state(action) == "Failed",
                    **base,
                )
            )
        return tuple(failed)

    def _unnamed(self) -> str:
        """What was refused without being read."""
        asset = Asset(self.source.mint("request", ROOT), "A request that is not described", "CreativeWork")
        if asset not in self.parts.assets:
            self.parts.assets.append(asset)
        return asset.id

    def _said(self, action: Node) -> str:
        reasons = [node.text("description") for node in self.index.linked(action, "error")]
        return " ".join(filter(None, (action.text("description"), *reasons)))

    def _sign_off(self, failed: tuple[str, ...]) -> None:
        plan = self.parts.plan
        about = (plan.id,) if plan is not None else (self._unnamed(),) if self.found.sign_off or failed else ()
        informed = (
            tuple(id for body, id in self.asks.items() if body == self.parts.tre) or tuple(self.asks.values())[:1]
        )
        last: Process | None = None
        for action in sorted(self.found.sign_off, key=lambda each: _instant(_time(each, "endTime") or "9999-12-31")):
            base = self._base(action, "Sign-off")
            if base is None or not base["ended"] or (plan is not None and not informed):
                if base is not None:
                    self.ledger.notes.pop((action.id, ""), None)
                    self.ledger.entity(
                        action.id, "", "Sign-off: not decided, or the request that it answers is not known."
                    )
                continue
            permitted = state(action) == "Completed"
            reverses = (last.id,) if last is not None and (last.kind == "AuthorizeAction") != permitted else ()
            base["at"] = base.pop("ended")
            del base["started"]
            last = decide(
                **base, permitted=permitted, about=about, informed_by=(*informed, *failed, *reverses),
                description=self._said(action),
            )  # fmt: skip
            self.parts.processes.append(last)
        if last is None and failed and stage_of(self.found) == "refused":
            self._refused(about, (*informed, *failed), plan is not None and not informed)

    def _refused(self, about: tuple[str, ...], informed: tuple[str, ...], unasked: bool) -> None:
        """A refusal without a sign-off, where the crate says so itself: the outcome that its root mentions."""
        root = self.index.root
        outcomes = [node for node in self.index.linked(root, "mentions", "DefinedTerm") if "outcome" in node.id]
        at = _time(root, "datePublished") if root is not None else ""
        if outcomes and at and self.parts.tre and not unasked:
            self.parts.processes.append(
                decide(
                    self.source.mint("refusal", outcomes[0].id), "Request refused", permitted=False,
                    agent=self.parts.tre, provider=self.parts.tre, about=about, at=at, informed_by=informed,
                    description=outcomes[0].text("description"),
                )
            )  # fmt: skip

    def _disclosure(self) -> None:
        """Each disclosure check: a review whose parts are the check of the outputs and the decision (R242-R244)."""
        results = [id for run in self.found.run for id in run.ids("result")]
        for action in self.found.disclosure:
            base = self._base(action, "Disclosure check")
            if base is None:
                continue
            passed = state(action) == "Completed"
            named = [id for id in action.ids("object") if id in results]
            outputs = tuple(self._output(id) for id in named or (results if passed else ()))
            if not outputs:
                unreleased = Asset(
                    self.source.mint("unreleased", action.id), "Outputs that were not released", "CreativeWork"
                )
                self.parts.assets.append(unreleased)
                outputs = (unreleased.id,)
            check = output_check(
                **base | {"id": self.source.mint("check", action.id)}, outputs=outputs, kind=_term(action),
                description=self._said(action),
            )  # fmt: skip
            if not check.ended:
                self.parts.processes.append(replace(check, id=base["id"]))
                continue
            decision = decide(
                self.source.mint("decision", action.id), "Outputs may leave" if passed else "Outputs may not leave",
                permitted=passed, agent=check.agent, provider=check.provider, about=outputs, at=check.ended,
                informed_by=(check.id,), description="" if passed else self._said(action),
            )  # fmt: skip
            whole = review(
                base["id"], f"Review: {base['name']}", agent=check.agent, provider=check.provider,
                parts=(check, decision), started=check.started, ended=check.ended,
            )  # fmt: skip
            self.parts.processes += [check, decision, whole]

    # --------------------------------------------------------------------------------------------------- the others

    def _receiving(self) -> None:
        for action in self.found.receiving:
            base = self._base(action, "Receipt")
            if base is None or not base["ended"] or not self.parts.tre:
                continue
            del base["instruments"], base["provider"]
            self.parts.processes.append(receive(**base, assets=(self.source.original,), sender=self.parts.tre))

    def _other_actions(self, main: Node | None) -> None:
        for action in self.found.publishing:
            why = "The writing of a bag's manifests: 1.0 knows no bag. Its time is the original's datePublished."
            self.ledger.entity(action.id, "", why)
        for node in self.index.nodes:
            done = node is main or (node.id, "") in self.ledger.notes
            if done or not any(kind.endswith("Action") for kind in node.types):
                continue
            base = self._base(node, "Process")
            if base is None:
                continue
            kinds = tuple(kind for kind in node.types if kind not in ("CreateAction", "UpdateAction", "Action"))
            kind: Any = next((each for each in ("CreateAction", "UpdateAction") if node.is_a(each)), "Action")
            results = (
                () if not base["ended"] else tuple(self._output(id) for id in node.ids("result") if not self._gone(id))
            )
            self.parts.processes.append(
                Process(
                    kind=kind, also=kinds, objects=tuple(id for id in self._names(node, "object") if id not in results),
                    results=results, description=self._said(node) or "Taken over as it was recorded.",
                    additional_type=_term(node), failed=state(node) == "Failed", **base,
                )
            )  # fmt: skip


def _term(action: Node) -> str:
    return next((term for term in action.texts("additionalType") if is_absolute(term)), "")


def _time(node: Node, name: str) -> str:
    """A time as it is written, "" where it is missing or malformed."""
    found = node.text(name)
    return found if well_dated(found) else ""


def _instant(time: str) -> datetime:
    found = datetime.fromisoformat(time)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
