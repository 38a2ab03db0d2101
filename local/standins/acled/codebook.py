"""ACLED's categories, as its codebook names them, and how made-up events spread over them."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIELDS = (
    *("event_id_cnty", "event_date", "year", "time_precision"),
    *("disorder_type", "event_type", "sub_event_type"),
    *("actor1", "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2", "interaction"),
    *("civilian_targeting", "iso", "region", "country", "admin1", "admin2", "admin3", "location"),
    *("latitude", "longitude", "geo_precision", "source", "source_scale", "notes"),
    *("fatalities", "tags", "timestamp"),
)
"""The 31 fields of an event, in the order in which the API sends them."""

STATE, REBELS = "State forces", "Rebel group"
MILITIA, COMMUNITY = "Political militia", "Identity militia"
RIOTERS, PROTESTERS = "Rioters", "Protesters"
CIVILIANS, OTHERS = "Civilians", "External/Other forces"

_VIOLENCE, _DEMONSTRATIONS = "Political violence", "Demonstrations"
_DEVELOPMENTS = "Strategic developments"

Sides = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sub-event type: who takes part, how it is told, how often it comes and how deadly it is.

    `first` and `second` are the categories (inter1, inter2) that either side may be of, None for
    a side that is not there. In `story`, {0} and {1} are the actors and {2} is the place.
    `deadly` is the share of events in which people die, `deaths` the mean of how many.
    """

    sub_event_type: str
    weight: float
    first: Sides
    second: Sides
    story: str
    deadly: float = 0.0
    deaths: float = 0.0
    disorder_type: str = _VIOLENCE
    event_type: str = ""


_BY_EVENT_TYPE = {
    "Battles": (
        Kind(
            "Armed clash",
            20,
            (STATE, REBELS, MILITIA),
            (REBELS, COMMUNITY, MILITIA),
            "{0} clashed with {1} near {2}. Both sides claimed to have held their positions.",
            deadly=0.45,
            deaths=4,
        ),
        Kind(
            "Government regains territory",
            1,
            (STATE,),
            (REBELS,),
            "{0} regained control of {2} from {1} after two days of fighting.",
            deadly=0.5,
            deaths=6,
        ),
        Kind(
            "Non-state actor overtakes territory",
            1,
            (REBELS,),
            (STATE,),
            "{0} took control of {2}; {1} withdrew to the north.",
            deadly=0.5,
            deaths=6,
        ),
    ),
    "Protests": (
        Kind(
            "Peaceful protest",
            30,
            (PROTESTERS,),
            (None,),
            "{0} gathered in {2} to demand 'fair wages' & better schools.",
            disorder_type=_DEMONSTRATIONS,
        ),
        Kind(
            "Protest with intervention",
            3,
            (PROTESTERS,),
            (STATE,),
            '{0} marched in {2} under the slogan "Enough". {1} dispersed them with tear gas.',
            disorder_type=_DEMONSTRATIONS,
        ),
        Kind(
            "Excessive force against protesters",
            0.5,
            (PROTESTERS,),
            (STATE,),
            "{1} fired live rounds at {0} in {2}.",
            deadly=0.4,
            deaths=1.5,
            disorder_type=f"{_VIOLENCE}; {_DEMONSTRATIONS}",
        ),
    ),
    "Riots": (
        Kind(
            "Violent demonstration",
            4,
            (RIOTERS,),
            (STATE, None),
            "{0} blocked the main road of {2} with burning tyres and threw stones.",
            deadly=0.05,
            deaths=1,
            disorder_type=_DEMONSTRATIONS,
        ),
        Kind(
            "Mob violence",
            4,
            (RIOTERS,),
            (CIVILIANS, RIOTERS),
            "A mob ({0}) attacked {1} in {2} over an alleged theft.",
            deadly=0.3,
            deaths=1,
        ),
    ),
    "Explosions/Remote violence": (
        Kind(
            "Shelling/artillery/missile attack",
            14,
            (STATE, OTHERS),
            (REBELS, CIVILIANS, None),
            "{0} shelled {2}. Casualties unknown.",
            deadly=0.1,
            deaths=2.5,
        ),
        Kind(
            "Air/drone strike",
            8,
            (STATE, OTHERS),
            (REBELS, None),
            "{0} carried out a drone strike on the outskirts of {2}.",
            deadly=0.2,
            deaths=3,
        ),
        Kind(
            "Remote explosive/landmine/IED",
            3,
            (REBELS, MILITIA),
            (STATE, CIVILIANS),
            "An IED planted by {0} hit a vehicle of {1} on the road to {2}.",
            deadly=0.35,
            deaths=2,
        ),
        Kind(
            "Grenade",
            0.5,
            (MILITIA,),
            (CIVILIANS, None),
            "A grenade was thrown by {0} at a shop in {2}.",
            deadly=0.15,
            deaths=1,
        ),
        Kind(
            "Suicide bomb",
            0.2,
            (REBELS,),
            (CIVILIANS, STATE),
            "A member of {0} set off explosives among {1} in {2}.",
            deadly=0.7,
            deaths=9,
        ),
        Kind(
            "Chemical weapon",
            0.02,
            (STATE,),
            (REBELS,),
            "{0} were accused by {1} of the use of chemical weapons in {2}.",
            deadly=0.2,
            deaths=3,
        ),
    ),
    "Violence against civilians": (
        Kind(
            "Attack",
            11,
            (MILITIA, COMMUNITY, STATE),
            (CIVILIANS,),
            "{0} attacked {1} in {2} at night and fled.",
            deadly=0.5,
            deaths=1.8,
        ),
        Kind(
            "Abduction/forced disappearance",
            3,
            (MILITIA, REBELS),
            (CIVILIANS,),
            "{0} abducted three of {1} in {2}; their whereabouts are not known.",
        ),
        Kind(
            "Sexual violence",
            0.3,
            (MILITIA, STATE),
            (CIVILIANS,),
            "{0} assaulted one of {1} in {2}, as was reported later.",
        ),
    ),
    "Strategic developments": (
        Kind(
            "Looting/property destruction",
            2.5,
            (REBELS, COMMUNITY),
            (CIVILIANS,),
            "Property destruction: {0} burned down houses of {1} in {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Arrests",
            1.5,
            (STATE,),
            (CIVILIANS,),
            "Arrests: {0} arrested opposition members among {1} in {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Change to group/activity",
            1,
            (STATE, REBELS, MILITIA),
            (None,),
            "Movement of forces: {0} moved a convoy through {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Disrupted weapons use",
            1.5,
            (STATE,),
            (REBELS, None),
            "Interception: {0} shot down a drone over {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Non-violent transfer of territory",
            0.2,
            (STATE,),
            (REBELS,),
            "Withdrawal: {1} left {2}, and {0} entered it without fighting.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Agreement",
            0.2,
            (STATE,),
            (REBELS,),
            "Agreement: {0} and {1} signed a ceasefire in {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Headquarters or base established",
            0.1,
            (OTHERS,),
            (None,),
            "Base: {0} set up a camp outside {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
        Kind(
            "Other",
            0.6,
            (STATE, MILITIA),
            (None,),
            "Other: an unexploded shell of {0} was found in {2}.",
            disorder_type=_DEVELOPMENTS,
        ),
    ),
}

KINDS = tuple(
    replace(kind, event_type=event_type)
    for event_type, kinds in _BY_EVENT_TYPE.items()
    for kind in kinds
)
"""All sub-event types."""
