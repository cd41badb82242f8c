"""A plugin that knows nothing but wit/whisperer.wit: no template and no file of ours beside it."""

import json

from wit_world import exports
from wit_world.imports import log
from wit_world.imports.types import (
    Header,
    Outcome_Discard,
    Outcome_Modified,
    Patch,
    Reason,
)


class Transform(exports.Transform):
    def transform(self, event, target, config):
        payload = json.loads(event.payload)
        if payload.get("quiet"):
            return Outcome_Discard(Reason("quiet", "nobody wants it"))
        log.write(log.Level.INFO, f"{event.event_type} for {target.origin}")
        made_by = json.loads(config)["from"]
        made = json.dumps({"from": made_by, **payload}).encode()
        return Outcome_Modified(
            Patch(made, None, True, [Header("X-Made-By", made_by)], [], [])
        )
