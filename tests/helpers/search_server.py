"""The search page in a thread, for requests and browsers."""

import asyncio
import threading
from contextlib import contextmanager

from recallkit.gallery import extend_index, find_images
from recallkit.gallery.opening import Gallery
from recallkit.gallery.server import SearchSite, listen


def site_of(run, folder, k=24):
    """All images of a folder, embedded by a run."""
    index, _ = extend_index(run, find_images(folder))
    return SearchSite(run, Gallery(index, None), folder.name, k)


@contextmanager
def running(site):
    """Serve on a free port; the address of the page."""
    started, places = threading.Event(), {}

    async def run():
        places["loop"], places["end"] = asyncio.get_running_loop(), asyncio.Event()
        server, places["url"] = listen(site)
        started.set()
        await places["end"].wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert started.wait(120)
        yield places["url"]
    finally:
        places["loop"].call_soon_threadsafe(places["end"].set)
        thread.join(120)
