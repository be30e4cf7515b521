"""A consent as a record that can be read elsewhere: the field names of ISO/IEC TS 27560:2023, the purposes of W3C DPV 2.

https://w3id.org/dpv/guides/consent-27560 maps the one to the other. Under `bcikit` stands what the Gate decides by.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from .manifest import LOCAL
from .policy import Policy
from .redlines import DIGEST, Grant

DPV = {
    "research": "dpv:ResearchAndDevelopment",
    "personal": "dpv:RequestedServiceProvision",
    "education": "dpv:ServiceProvision",
    "clinical": "dpv:ImproveHealthcare",
    "identification": "dpv:IdentityVerification",
}


def written(g: Grant, counter: int, policy: Policy, key: str, device: str, entry: tuple[int, str]) -> dict[str, Any]:
    """The receipt of a grant. counter: of all grants on this device. key: the public key that signs it. device: of the
    device that it is given to. entry: number and hash of the line of the audit that tells of it."""
    return {
        "schema_version": "ISO/IEC TS 27560:2023",
        "record_id": g.id,
        "pii_principal_id": g.subject,
        "pii_processing": [
            {
                "service": "bcikit",
                "purpose": DPV[g.purpose],
                "lawful_basis": "dpv:ExplicitlyExpressedConsent",
                "pii_information": [{"pii_type": f"neural signals, {g.level} or less raw", "sensitive_pii_category": True}],
                "processing_method": ", ".join(g.sinks),
                "storage_locations": ["this device"] if g.sinks[0] in LOCAL else ["recipients"],
                "retention_period": f"until erased; {policy.delete_days:g} days after a withdrawal at the latest",
                "withdrawal_method": f"bcikit consent revoke {g.subject}",
            }
        ],
        "party_identification": [{"party_id": device, "party_role": "pii_controller"}],
        "events": [
            {
                "event_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(g.when)),
                "validity_duration": f"P{max(1, round((g.expires - g.when) / 86400))}D",
                "entity_id": g.by,
                "event_type": "explicit",
                "event_state": "given",
            }
        ],
        "bcikit": {
            "purpose": g.purpose,
            "sinks": g.sinks,
            "level": g.level,
            "by": g.by,
            "nonce": secrets.token_hex(16),
            "counter": counter,
            "audience": device,
            "not_before": g.when,
            "not_after": g.expires,
            "key": key,
            "policy": policy.version,
            "redlines": DIGEST,
            "audit": entry,
        },
    }
