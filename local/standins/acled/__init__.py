"""A stand-in for ACLED's API over real HTTP. Its events are made up; none is ACLED's. ::

    with Acled(events=5000, at=datetime(2026, 11, 23, 9, tzinfo=UTC)) as acled:
        acled.settings                      # ACLED_URL, ACLED_USERNAME, ACLED_PASSWORD
        new = acled.events.insert(country="HND", fatalities="3")
        acled.clock.advance(timedelta(days=3))
        acled.events.edit(new, notes="Revised.")
        acled.events.delete(new)
        acled.faults.answer(429, times=2, retry_after=1)
        acled.faults.spoil(Spoiled(repeated=3), after=1)
        acled.events.rows()                 # the truth: all current rows, by id

`python -m local.standins.acled --port 8123 --events 100000 --seed 7` runs it by itself and prints
the settings; it is then steered by requests below /_standin (see `control`).

It has POST /oauth/token, GET /api/acled/read and GET /api/deleted/read as they are since September
2025, and GET /acled/read and /deleted/read of the older scheme with `key` and `email`. Rows come
with the latest day first, at most 5,000 a page, numbers as texts. `count` and `total_count` are in
the envelope only where `with_total=true` asks for them. What it does not understand it refuses
with 400, so that a misspelt filter does not pass for none.
"""
