/**
 * A page's connection to Deskbell, for sites that use PorticoEstate's client: the same functions and the same events.
 *
 *   <script src="client.js"></script>
 *   const client = createWebSocketClient();
 *   window.addEventListener('portico:notification', event => console.log(event.detail.message));
 *   client.sendMessage('chat', 'Hello');
 *
 * A connection that breaks is opened again after a random time that grows up to half a minute, for ever; `close()` ends
 * that. What is asked while there is none is sent when there is one again, up to a bound. What was on its way when a
 * connection broke may come a second time; the page is told once.
 */
(function (window) {
    'use strict';

    const PING_EVERY = 30000;
    const ANSWER_WITHIN = 10000;
    const FIRST_WAIT = 1000;
    const LONGEST_WAIT = 30000;
    const WAITING = 50;
    const REMEMBERED = 200;
    // The form of the ids that send_notification.php gives; a site's own may be that of a booking, and comes again.
    const HELPERS = /^php_[0-9a-f]{24}$/;
    const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];

    function tell(name, detail) {
        window.dispatchEvent(new window.CustomEvent('portico:' + name, { detail: detail }));
    }

    function defaultUrl() {
        const scheme = window.location.protocol === 'https:' ? 'wss:' : 'ws:';
        return scheme + '//' + window.location.host + '/wss';
    }

    /** The user whom the page names somewhere, as it is written there. */
    function userOfPage() {
        const document = window.document;
        const first = selector => document && document.querySelector && document.querySelector(selector);
        const field = first('#userId') || first('input[name=userId]');
        if (field) {
            return field.value || field.textContent || null;
        }
        const marked = first('[data-user-id]');
        if (marked) {
            return marked.getAttribute('data-user-id');
        }
        if (window.userId !== undefined && window.userId !== null) {
            return window.userId;
        }
        try {
            const kept = JSON.parse(window.localStorage.getItem('user_data'));
            return kept && kept.id !== undefined ? kept.id : null;
        } catch (ignored) {
            return null;
        }
    }

    window.createWebSocketClient = function createWebSocketClient(customUrl = null) {
        const url = customUrl || defaultUrl();
        const waiting = [];
        const asked = [];
        const heard = [];
        let socket = null;
        let pings = null;
        let retry = null;
        let failures = 0;
        let ended = false;

        function show(text) {
            const place = window.document && window.document.getElementById && window.document.getElementById('connection-status');
            if (place) {
                place.textContent = text;
            }
        }

        function now() {
            return new Date().toISOString();
        }

        function send(message) {
            if (socket && socket.readyState === 1) {
                socket.send(JSON.stringify(message));
                return true;
            }
            if (!ended && waiting.length < WAITING) {
                waiting.push(message);
            }
            return false;
        }

        /** Was this message heard before? With an id it is the same one if it is the same word for word. */
        function isRepeated(message, text) {
            if (typeof message.id !== 'string') {
                return false;
            }
            const mark = HELPERS.test(message.id) ? message.id : text;
            if (heard.includes(mark)) {
                return true;
            }
            heard.push(mark);
            if (heard.length > REMEMBERED) {
                heard.shift();
            }
            return false;
        }

        /** Answers what the server asks, and turns everything else into events. */
        function hear(text) {
            let message = null;
            try {
                message = JSON.parse(text);
            } catch (ignored) {
                tell('raw', { data: text });
                return;
            }
            if (message === null || typeof message !== 'object') {
                tell('raw', { data: text });
                return;
            }
            if (isRepeated(message, text)) {
                return;
            }
            switch (message.type) {
                case 'server_ping':
                    send({ type: 'pong', timestamp: now(), reply_to: message.id });
                    break;
                case 'room_ping':
                    send({ type: 'room_ping_response', roomId: message.roomId, timestamp: now() });
                    break;
                case 'pong':
                    break;
                case 'reconnect_required':
                    tell('message', message);
                    socket.close();
                    break;
                case 'connection_success':
                    tell('connected', message);
                    break;
                case 'notification':
                    tell('notification', message);
                    break;
                case 'chat':
                    tell('chat', message);
                    break;
                case 'user_info_update_confirmation':
                    tell('user_info_updated', { userId: message.userId, success: message.success });
                    break;
                case 'partial_applications_response':
                    applications(message);
                    break;
                default:
                    tell('message', message);
            }
        }

        function applications(message) {
            const data = message.data || {};
            const pushed = data.source === 'server_push';
            if (!pushed && asked.length > 0) {
                asked.splice(0).forEach(one => one(data));
                tell('message', message);
            }
            if (data.requiresUserInfo) {
                tell('requires_user_info', { requestType: 'partial_applications' });
            }
            tell('partial_applications', Object.assign({}, data, { isServerPush: pushed }));
        }

        function open() {
            retry = null;
            show('Connecting');
            socket = new window.WebSocket(url);
            const own = socket;
            own.onopen = function () {
                failures = 0;
                show('Connected');
                waiting.splice(0).forEach(send);
                pings = window.setInterval(() => send({ type: 'ping', timestamp: now() }), PING_EVERY);
                window.setTimeout(function () {
                    const user = own === socket && own.readyState === 1 ? userOfPage() : null;
                    if (user !== null && user !== '') {
                        client.updateUserInfo(user);
                    }
                }, 1000);
            };
            own.onmessage = event => hear(event.data);
            own.onclose = function () {
                window.clearInterval(pings);
                if (ended) {
                    show('Disconnected');
                    return;
                }
                // Random all the way down: a thousand pages that lost one server do not come back at once.
                const most = Math.min(LONGEST_WAIT, FIRST_WAIT * Math.pow(2, failures));
                failures += 1;
                const wait = Math.round(Math.random() * most);
                show('Reconnecting');
                tell('reconnecting', { delay: wait, attempt: failures });
                retry = window.setTimeout(open, wait);
            };
        }

        const client = {
            sendMessage(type, message, extra = {}) {
                const whole = Object.assign({ type: type, message: message }, extra, { timestamp: now() });
                const sent = send(whole);
                if (sent) {
                    tell('sent', whole);
                }
                return sent;
            },

            updateUserInfo(userId) {
                return send({ type: 'update_user_info', userId: userId, timestamp: now() });
            },

            getPartialApplications() {
                return new Promise(function (resolve, reject) {
                    const late = window.setTimeout(function () {
                        const place = asked.indexOf(answer);
                        if (place >= 0) {
                            asked.splice(place, 1);
                        }
                        reject(new Error('The server did not answer in ten seconds; ask again later'));
                    }, ANSWER_WITHIN);
                    function answer(data) {
                        window.clearTimeout(late);
                        resolve(data);
                    }
                    asked.push(answer);
                    send({ type: 'get_partial_applications', timestamp: now() });
                });
            },

            close() {
                ended = true;
                window.clearTimeout(retry);
                socket.close();
            },

            getStatus() {
                return STATES[socket.readyState] || 'UNKNOWN';
            },
        };

        open();
        window.porticoWsClient = client;
        return client;
    };
})(typeof window === 'undefined' ? globalThis : window);
