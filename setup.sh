#!/bin/sh
# Installs what the tests run beside Deskbell: real proxies, real certificate tools, a browser, a database.
# Only what is missing is installed, so a second run is over at once. Called by `make test`.
set -eu

# One line for each: the Debian package, and a file that is there when it is installed; a star stands for any word.
needed() {
    cat <<'LIST'
nginx-light        /usr/sbin/nginx
haproxy            /usr/sbin/haproxy
apache2-bin        /usr/sbin/apache2
openssl            /usr/bin/openssl
curl               /usr/bin/curl
chromium           /usr/bin/chromium
jython             /usr/bin/jython
libbcprov-java     /usr/share/java/bcprov.jar
libbcpkix-java     /usr/share/java/bcpkix.jar
pebble             /usr/bin/pebble
postgresql         /usr/lib/postgresql/*/bin/postgres
libfaketime        /usr/lib/*/faketime/libfaketime.so.1
mariadb-server-core /usr/sbin/mariadbd
redis-server       /usr/bin/redis-server
php-cli            /usr/bin/php
php-predis         /usr/share/php/Predis/autoload.php
php-laravel-framework /usr/share/php/Illuminate/autoload.php
php-mysql          /usr/lib/php/*/mysqli.so
wordpress          /usr/share/wordpress/wp-load.php
systemd            /usr/bin/systemd-analyze
supervisor         /usr/bin/supervisord
docker-compose     /usr/bin/docker-compose
LIST
}

missing=$(needed | while read -r package file; do
    # The star is for the shell.
    # shellcheck disable=SC2086
    ls $file >/dev/null 2>&1 || printf '%s ' "$package"
done)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: the tests need these Debian packages or their like: $missing" >&2
    echo "setup: this system has no apt-get; install them by its own means and start again" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "setup: these Debian packages are missing and only root can install them; run" >&2
    echo "    sudo apt-get install --no-install-recommends $missing" >&2
    exit 1
fi

echo "setup: installing $missing"
export DEBIAN_FRONTEND=noninteractive
# The tests start these programs themselves, on ports of their own; none may start by itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
# Nor is a database made that would start with the machine: the tests make their own.
clusters=/etc/postgresql-common/createcluster.conf
case " $missing" in
*" postgresql "*)
    if [ ! -e "$clusters" ]; then
        mkdir -p "${clusters%/*}"
        echo "create_main_cluster = false" >"$clusters"
    fi
    ;;
esac
apt-get update -qq
# Word by word: each is one package.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
