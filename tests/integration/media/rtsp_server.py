"""Serves a Matroska file with H.264 over RTSP. A program: it runs on the system's Python.

It prints its port when it is ready. With a user and a password, it asks for them.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after the versions

ROLE = "viewer"


def protect(server, factory, user, password):
    """Ask for a user and a password."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("access", "construct"):
        permissions.add_permission_for_role(ROLE, f"media.factory.{permission}", True)
    factory.set_permissions(permissions)


def main(path, *credentials):
    """Serve a file at /video on a free port of this machine."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{path}" ! matroskademux ! h264parse'
        " ! rtph264pay name=pay0 pt=96 config-interval=1 )"
    )
    if credentials:
        protect(server, factory, *credentials)
    server.get_mount_points().add_factory("/video", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - its interface
    GLib.MainLoop().run()


main(*sys.argv[1:])
