# Starts the Autobahn suite under Jython (Python 2): wstest.py LIB ARGUMENTS...
import sys
import types

sys.path.insert(0, sys.argv[1])

import twisted.internet

# wss:// needs OpenSSL, which Jython lacks; the plain port is tested.
tls = types.ModuleType("twisted.internet.ssl")
tls.ClientContextFactory = tls.DefaultOpenSSLContextFactory = object
sys.modules["twisted.internet.ssl"] = twisted.internet.ssl = tls
# WAMP is another protocol on top, and not ours.
for name in ("serializer", "wampfuzzing", "wamptestserver", "wamptestee"):
    part = types.ModuleType(name)
    part.start = part.startServer = part.startClient = None
    sys.modules["autobahntestsuite." + name] = part

sys.argv = ["wstest"] + sys.argv[2:]
from autobahntestsuite import wstest

wstest.run()
