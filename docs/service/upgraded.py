"""Publish an upgraded event at the end of a deployment."""

import choria_lifecycle as lifecycle

lifecycle.publish_once(
    lifecycle.upgraded(component="billing", version="1.4.1", new_version="1.4.2", identity="n1.example.net")
)
