// client.js in a page of its own, over a real WebSocket: what it says, what it makes of what it hears, and that it
// comes back. Run with `node --experimental-websocket --test`.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import vm from 'node:vm';

const SOURCE = fs.readFileSync(new URL('client.js', import.meta.url), 'utf8');
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A server that hears texts of less than 64 KiB and says some: as much of WebSocket as this needs. */
class Server {
    static async start() {
        const server = new Server();
        server.http = http.createServer();
        server.heard = [];
        server.sockets = [];
        server.awaited = [];
        server.http.on('upgrade', (request, socket) => server.upgrade(request, socket));
        await new Promise(resolve => server.http.listen(0, '127.0.0.1', resolve));
        server.url = `ws://127.0.0.1:${server.http.address().port}/wss`;
        return server;
    }

    upgrade(request, socket) {
        const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + GUID).digest('base64');
        socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        let bytes = Buffer.alloc(0);
        socket.on('error', () => {});
        socket.on('data', more => {
            bytes = Buffer.concat([bytes, more]);
            while (bytes.length >= 6) {
                const long = (bytes[1] & 127) === 126;
                const length = long ? bytes.readUInt16BE(2) : bytes[1] & 127;
                const start = long ? 4 : 2;
                if (bytes.length < start + 4 + length) {
                    return;
                }
                const mask = bytes.subarray(start, start + 4);
                const data = bytes.subarray(start + 4, start + 4 + length).map((byte, at) => byte ^ mask[at % 4]);
                const opcode = bytes[0] & 15;
                bytes = bytes.subarray(start + 4 + length);
                if (opcode === 8) {
                    socket.end(Buffer.from([0x88, 0]));
                } else if (opcode === 1) {
                    this.heard.push(JSON.parse(Buffer.from(data).toString()));
                    this.look();
                }
            }
        });
        this.sockets.push(socket);
        this.look();
    }

    say(message) {
        const text = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
        const head = text.length < 126 ? Buffer.from([0x81, text.length]) : Buffer.from([0x81, 126, text.length >> 8, text.length & 255]);
        this.sockets.at(-1).write(Buffer.concat([head, text]));
    }

    look() {
        this.awaited = this.awaited.filter(one => !one());
    }

    until(what) {
        return new Promise(resolve => {
            const ready = () => {
                const found = what();
                if (found) {
                    resolve(found);
                }
                return Boolean(found);
            };
            if (!ready()) {
                this.awaited.push(ready);
            }
        });
    }

    hears(type) {
        return this.until(() => this.heard.find(message => message.type === type));
    }

    stop() {
        this.sockets.forEach(socket => socket.destroy());
        this.http.close();
    }
}

/** A page with nothing but a window, and what it was told. */
function page(extra = {}) {
    const window = new EventTarget();
    const told = [];
    Object.assign(window, {
        WebSocket: globalThis.WebSocket,
        CustomEvent,
        setTimeout,
        clearTimeout,
        setInterval,
        clearInterval,
        location: { protocol: 'https:', host: 'site.example' },
        localStorage: { getItem: () => null },
        ...extra,
    });
    const dispatch = window.dispatchEvent.bind(window);
    window.dispatchEvent = event => {
        told.push([event.type.replace('portico:', ''), event.detail]);
        return dispatch(event);
    };
    vm.runInNewContext(SOURCE, { window, URL, Math, JSON, Object, Promise, Error, Date });
    const next = type => new Promise(resolve => window.addEventListener(`portico:${type}`, event => resolve(event.detail), { once: true }));
    return { window, told, next };
}

async function connected(extra) {
    const server = await Server.start();
    const { window, told, next } = page(extra);
    const client = window.createWebSocketClient(server.url);
    await server.until(() => server.sockets.length === 1);
    return { server, window, told, next, client, end: () => (client.close(), server.stop()) };
}

/** Looks again and again: a state of a WebSocket is no event. */
function state(server, client, wanted) {
    return server.until(() => client.getStatus() === wanted || (setTimeout(() => server.look(), 10), false));
}

test('a page asks beside itself where nothing is said, and is told its state', async () => {
    const asked = [];
    class Never {
        readyState = 0;
        constructor(url) {
            asked.push(url);
        }
        close() {}
    }
    const { window } = page({ WebSocket: Never });
    const client = window.createWebSocketClient();
    assert.deepEqual(asked, ['wss://site.example/wss']);
    assert.equal(client.getStatus(), 'CONNECTING');
    assert.equal(window.porticoWsClient, client);
});

test('what it hears becomes events of the page', async () => {
    const { server, next, told, end } = await connected();
    for (const [message, name] of [
        [{ type: 'connection_success', roomId: 'session_a' }, 'connected'],
        [{ type: 'notification', message: 'x' }, 'notification'],
        [{ type: 'chat', message: 'x' }, 'chat'],
        [{ type: 'user_info_update_confirmation', userId: 7, success: true }, 'user_info_updated'],
        [{ type: 'fly' }, 'message'],
        ['no json', 'raw'],
        [{ type: 'partial_applications_response', data: { source: 'server_push', requiresUserInfo: true } }, 'partial_applications'],
    ]) {
        const event = next(name);
        server.say(message);
        await event;
    }
    const of = name => told.find(([type]) => type === name)[1];
    assert.equal(of('notification').message, 'x');
    assert.deepEqual({ ...of('user_info_updated') }, { userId: 7, success: true });
    assert.equal(of('raw').data, 'no json');
    assert.equal(of('partial_applications').isServerPush, true);
    assert.equal(of('requires_user_info').requestType, 'partial_applications');
    end();
});

test('what comes a second time is told once, and what only looks like it is told', async () => {
    const { server, next, told, end } = await connected();
    const again = { type: 'notification', id: 'uYd4rPmVfEs1kQ2a', message: 'again', timestamp: 't' };
    const byPhp = { type: 'notification', id: 'php_0123456789abcdef01234567', message: 'by PHP' };
    const booking = { type: 'notification', id: 'booking-7', message: 'created' };
    for (const message of [again, again, byPhp, { ...byPhp, source: 'redis' }, booking, { ...booking, message: 'changed' }]) {
        server.say(message);
    }
    const last = next('chat');
    server.say({ type: 'chat', message: 'the end' });
    await last;
    const messages = told.filter(([type]) => type === 'notification').map(([, detail]) => detail.message);
    assert.deepEqual(messages, ['again', 'by PHP', 'created', 'changed']);
    end();
});

test('it answers whoever asks whether it is there', async () => {
    const { server, end } = await connected();
    server.say({ type: 'server_ping', id: 'ping_1' });
    assert.equal((await server.hears('pong')).reply_to, 'ping_1');
    server.say({ type: 'room_ping', roomId: 'entity_building_10' });
    assert.equal((await server.hears('room_ping_response')).roomId, 'entity_building_10');
    end();
});

test('it says what it is told to say, and asks for applications', async () => {
    const { server, client, end, told } = await connected();
    await state(server, client, 'OPEN');
    assert.equal(client.sendMessage('chat', 'Hello', { room: 1 }), true);
    const chat = await server.hears('chat');
    assert.deepEqual([chat.message, chat.room, typeof chat.timestamp], ['Hello', 1, 'string']);
    const found = client.getPartialApplications();
    await server.hears('get_partial_applications');
    server.say({ type: 'partial_applications_response', data: { error: false, applications: [1], count: 1 } });
    assert.deepEqual([...(await found).applications], [1]);
    assert.ok(told.some(([name, detail]) => name === 'partial_applications' && detail.isServerPush === false));
    end();
});

test('it names the user of the page a second later', async () => {
    const { server, end } = await connected({ userId: 42 });
    assert.equal((await server.hears('update_user_info')).userId, 42);
    end();
});

test('it comes back after a cut, with what was asked meanwhile, and stays away after close', async () => {
    const { server, next, told, client, end } = await connected();
    const cut = next('reconnecting');
    server.sockets[0].destroy();
    assert.ok((await cut).delay <= 1000);
    client.sendMessage('chat', 'while away');
    await server.until(() => server.sockets.length === 2);
    assert.equal((await server.hears('chat')).message, 'while away');
    const asked = next('reconnecting');
    server.say({ type: 'reconnect_required', message: 'restart' });
    await asked;
    await server.until(() => server.sockets.length === 3);
    await state(server, client, 'OPEN');
    client.close();
    await state(server, client, 'CLOSED');
    await new Promise(setImmediate);
    assert.equal(told.filter(([name]) => name === 'reconnecting').length, 2, 'it does not mean to come back');
    end();
});
