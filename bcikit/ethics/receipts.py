"""A consent as a record that can be read elsewhere: the field names of ISO/IEC TS 27560:2023, the purposes of W3C DPV 2.

The names, and which are mandatory, are those that W3C's guide lists (https://w3id.org/dpv/guides/consent-27560), with those
that it calls mandatory under the GDPR. Of an operator's name, address, contact, law and authority this device knows nothing:
they are said to be not stated. Under `bcikit` stands what the Gate decides by.
"""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from . import keys
from .manifest import LOCAL
from .policy import Policy
from .redlines import DIGEST, Grant

NOT_STATED = "not stated here; ask whoever runs this device"
DPV = {
    "research": "dpv:ResearchAndDevelopment",
    "personal": "dpv:RequestedServiceProvision",
    "education": "dpv:ServiceProvision",
    "clinical": "dpv:ImproveHealthcare",
    "identification": "dpv:IdentityVerification",
}


def signed(
    g: Grant, counter: int, policy: Policy, own: keys.Own | None, home: Path, entry: tuple[int, str]
) -> tuple[bytes, str]:
    """The receipt of a grant, as JSON text, and its signature. counter: of all grants on this device. own: the person's key,
    which signs it, else the device does. entry: number and hash of the line of the audit that tells of it."""
    device = keys.public(home)
    body = json.dumps(written(g, counter, policy, own.public if own else device, device, entry), sort_keys=True).encode()
    return body, own.sign(body, "receipt") if own else keys.sign(body, "receipt", home)


def written(g: Grant, counter: int, policy: Policy, key: str, device: str, entry: tuple[int, str]) -> dict[str, Any]:
    """The receipt. key: the public key that signs it. device: of the device that it is given to."""
    return {
        "schema_version": "ISO/IEC TS 27560:2023",
        "record_id": g.id,
        "receipt_id": g.id,
        "pii_principal_id": g.subject,
        "pii_processing": [
            {
                "privacy_notice": "docs/consent.md of bcikit",
                "language": "en",
                "service": "bcikit",
                "purpose": DPV[g.purpose],
                "lawful_basis": "dpv:ExplicitlyExpressedConsent",
                "pii_information": [{"pii_type": f"neural signals, {g.level} or less raw", "sensitive_pii_category": True}],
                "pii_controllers": [device],
                "collection_method": "measured at the body, by a board on this device",
                "processing_method": ", ".join(g.sinks),
                "storage_locations": ["this device"] if g.sinks[0] in LOCAL else ["recipients"],
                "processing_locations": ["this device"] if g.sinks[0] in LOCAL else ["this device", "recipients"],
                "retention_period": f"until erased; {policy.delete_days:g} days after a withdrawal at the latest",
                "jurisdiction": NOT_STATED,
                "recipient_third_parties": [] if g.sinks[0] in LOCAL else [f"whoever receives {g.sinks[0]}"],
                "withdrawal_method": f"bcikit consent revoke {g.subject}",
                "privacy_rights": [
                    f"to see and take with you all that is kept: bcikit export {g.subject}",
                    f"to have it destroyed: bcikit erase {g.subject}",
                ],
                "authority_party": NOT_STATED,
            }
        ],
        "party_identification": [
            {
                "party_id": device,
                "party_name": NOT_STATED,
                "party_address": NOT_STATED,
                "party_contact": NOT_STATED,
                "party_type": "pii_controller",
                "party_role": "pii_controller",
            }
        ],
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


def granted(receipt: dict[str, Any], sinks: tuple[str, ...]) -> tuple[Grant, dict[str, Any]]:
    """The grant that a receipt stands for, of what still stands of its sinks, and what the Gate decides by beside it."""
    its = receipt["bcikit"]
    subject, times = receipt["pii_principal_id"], (float(its["not_before"]), float(its["not_after"]))
    return Grant(subject, its["purpose"], sinks, *times, its["by"], its["level"], receipt["record_id"]), its
