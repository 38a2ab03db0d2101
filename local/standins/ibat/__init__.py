"""A stand-in for IBAT: its one route, and the signed addresses that it hands out, over real HTTP.

It knows what a client must bear: wrong credentials, too many requests, failures, addresses that
expire, downloads that break off, releases that follow one another. It refuses a download that
brings IBAT's credentials along, as the object storage behind the real one does. ::

    with Ibat() as ibat:
        ibat.publish("wdpa", "May 2023", archive)
        ibat.faults.answer(429, times=2, retry_after=1)
        ibat.settings   # IBAT_URL, IBAT_AUTH_KEY, IBAT_AUTH_TOKEN

`python -m local.standins.ibat` runs it by itself, with made-up data.
"""
