#!/bin/sh
# Puts the Autobahn suite together in the folder that is named, once. The suite is written in Python 2, which Debian
# no longer has; its Jython runs it. Everything comes from Debian (see /setup.sh) and PyPI, in fixed versions.
set -eu

suite=autobahntestsuite-25.10.1
folder=$1
stamp=$folder/.$suite-1
[ -e "$stamp" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder/downloads" "$folder/lib"
cd "$folder"

# What a Python 2.7 would take. The wheels' compiled parts are of no use to Jython and are dropped below.
python3 -m pip --disable-pip-version-check download -q --no-deps --only-binary=:all: --python-version 27 \
    --implementation cp --abi cp27mu --platform manylinux1_x86_64 --platform any -d downloads \
    setuptools==44.0.0 six==1.16.0 zope.interface==4.6.0 Twisted==19.10.0 constantly==15.1.0 \
    incremental==16.10.1 Automat==0.8.0 hyperlink==21.0.0 attrs==19.3.0 idna==2.10 typing==3.10.0.0 \
    jinja2==2.11.3 MarkupSafe==1.1.1
python3 -m pip --disable-pip-version-check download -q --no-deps --no-binary :all: -d downloads \
    autobahntestsuite==25.10.1 autobahn==0.10.9 txaio==2.1.0

for wheel in downloads/*.whl; do
    python3 -m zipfile -e "$wheel" lib
done
for package in $suite/autobahntestsuite autobahn-0.10.9/autobahn txaio-2.1.0/txaio; do
    tar xzf "downloads/${package%/*}.tar.gz" -C lib --strip-components=1 "$package"
done
find lib -name '*.so' -delete
touch lib/zope/__init__.py

# Two lines of Twisted that Jython cannot run: module proxies, and a property of its XML parser.
python3 - <<'PY'
import pathlib

def replace(path, old, new):
    file = pathlib.Path("lib/twisted") / path
    text = file.read_text()
    assert old in text, f"{path} is not the version that was expected"
    file.write_text(text.replace(old, new, 1))

start = "def deprecatedModuleAttribute(version, message, moduleName, name):\n"
replace("python/deprecate.py", start, start + "    return\n")
replace("web/template.py", "    parser.setProperty(handler.property_lexical_handler, s)", "    pass")
PY
touch "$stamp"
