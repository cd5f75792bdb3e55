"""Runs a command with the URL of a large file on a server of its own. usage: with_server.py MEGABYTES COMMAND …"""
import os
import shutil
import subprocess
import sys

import servers

folder = servers.temporary_folder()
server = servers.Xrootd(folder)
try:
    with open(os.path.join(folder, 'large'), 'wb') as file:
        for _ in range(int(sys.argv[1])):
            file.write(os.urandom(1_000_000))
    server.put(os.path.join(folder, 'large'), 'large')
    os.remove(os.path.join(folder, 'large'))
    sys.exit(subprocess.run([*sys.argv[2:], server.url('large')], check=False).returncode)
finally:
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)
