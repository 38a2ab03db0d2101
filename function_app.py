"""geoforge's function app: what the Azure Functions host loads.

Here the parts are put together, and nothing else. The job types register themselves
(`jobs.discover`), and so do the HTTP endpoints and pages (`web_interfaces.blueprints`).
"""

import azure.durable_functions as df
import azure.functions as func

import jobs
import jobs.curated_timers
import jobs.orchestration
import jobs.pipelines
import web_interfaces
from config import get_settings
from infrastructure import memory, telemetry
from services.dashboard import pulse

memory.give_back_what_is_freed()
telemetry.configure(get_settings())
jobs.discover()

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (
    jobs.orchestration.bp,
    jobs.curated_timers.bp,
    jobs.pipelines.bp,
    *web_interfaces.blueprints(),
):
    app.register_functions(blueprint)

pulse.start()
