<?php
namespace Pusher;

/** What Laravel and a backend need of PHP's Pusher library: the same names, the same signatures, the same requests. */
class Pusher
{
    private $key;
    private $secret;
    private $app;
    private $options;

    public function __construct($key, $secret, $app, array $options = [])
    {
        [$this->key, $this->secret, $this->app] = [$key, $secret, $app];
        $this->options = $options + ['host' => '127.0.0.1', 'port' => 80, 'scheme' => 'http', 'path' => ''];
    }

    /** The token for a channel, with what its subscriber shows of itself. */
    public function authorizeChannel(string $channel, string $socket, ?string $data = null): string
    {
        $text = $data === null ? "$socket:$channel" : "$socket:$channel:$data";
        $signed = ['auth' => $this->key.':'.hash_hmac('sha256', $text, $this->secret)];
        if ($data !== null) {
            $signed['channel_data'] = $data;
        }
        if (strpos($channel, 'private-encrypted-') === 0) {
            $signed['shared_secret'] = base64_encode($this->secretOf($channel));
        }

        // Slashes are escaped here, as PHP does by itself; what is signed stays as it is.
        return json_encode($signed);
    }

    public function authorizePresenceChannel(string $channel, string $socket, string $user, $info = null): string
    {
        $data = ['user_id' => $user];
        if ($info) {
            $data['user_info'] = $info;
        }

        return $this->authorizeChannel($channel, $socket, json_encode($data));
    }

    /** The names of the library before its version 7, by which Laravel 8 calls. */
    public function socket_auth($channel, $socket, $data = null)
    {
        return $this->authorizeChannel($channel, $socket, $data);
    }

    public function presence_auth($channel, $socket, $user, $info = null)
    {
        return $this->authorizePresenceChannel($channel, $socket, (string) $user, $info);
    }

    public function authenticateUser(string $socket, array $user): string
    {
        $data = json_encode($user);
        $signature = hash_hmac('sha256', "$socket::user::$data", $this->secret);

        return json_encode(['auth' => "$this->key:$signature", 'user_data' => $data]);
    }

    /** One event for some channels; one channel alone goes by its singular name. */
    public function trigger($channels, string $event, $data, array $params = [])
    {
        $channels = (array) $channels;
        $body = ['name' => $event, 'data' => $this->payload($channels[0], $data)] + $params;
        $body += count($channels) === 1 ? ['channel' => $channels[0]] : ['channels' => array_values($channels)];

        return $this->post('/events', $body);
    }

    public function triggerBatch(array $batch)
    {
        foreach ($batch as &$event) {
            $event['data'] = $this->payload($event['channel'], $event['data']);
        }

        return $this->post('/batch_events', ['batch' => $batch]);
    }

    public function sendToUser(string $user, string $event, $data)
    {
        return $this->trigger(["#server-to-user-$user"], $event, $data);
    }

    public function terminateUserConnections(string $user)
    {
        return $this->post("/users/$user/terminate_connections", new \stdClass());
    }

    /** Asks about channels. */
    public function get(string $path, array $params = [])
    {
        return $this->request('GET', $path, '', $params);
    }

    /** The events of a webhook whose signature holds; an exception otherwise. */
    public function webhook(array $headers, string $body)
    {
        $expected = hash_hmac('sha256', $body, $this->secret);
        if ($headers['x-pusher-key'] !== $this->key || ! hash_equals($expected, $headers['x-pusher-signature'])) {
            throw new PusherException('the signature of this webhook does not hold');
        }

        return json_decode($body)->events;
    }

    private function payload(string $channel, $data): string
    {
        $text = is_string($data) ? $data : json_encode($data);
        if (strpos($channel, 'private-encrypted-') !== 0) {
            return $text;
        }
        $nonce = random_bytes(SODIUM_CRYPTO_SECRETBOX_NONCEBYTES);
        $box = sodium_crypto_secretbox($text, $nonce, $this->secretOf($channel));

        return json_encode(['nonce' => base64_encode($nonce), 'ciphertext' => base64_encode($box)]);
    }

    private function secretOf(string $channel): string
    {
        return hash('sha256', $channel.base64_decode($this->options['encryption_master_key_base64']), true);
    }

    private function post(string $path, $body)
    {
        $body = json_encode($body);

        return $this->request('POST', $path, $body, ['body_md5' => md5($body)]);
    }

    private function request(string $method, string $path, string $body, array $params)
    {
        $path = "/apps/$this->app$path";
        $params += ['auth_key' => $this->key, 'auth_timestamp' => (string) time(), 'auth_version' => '1.0'];
        ksort($params);
        // The path is signed without the prefix that the server is reached by, the values as they are.
        $pairs = array_map(fn ($name) => "$name=$params[$name]", array_keys($params));
        $text = "$method\n$path\n".implode('&', $pairs);
        $params['auth_signature'] = hash_hmac('sha256', $text, $this->secret);
        $o = $this->options;
        $url = "{$o['scheme']}://{$o['host']}:{$o['port']}{$o['path']}$path?".http_build_query($params);
        $answer = file_get_contents($url, false, stream_context_create(['http' => [
            'method' => $method, 'content' => $body, 'ignore_errors' => true, 'timeout' => 10,
            'header' => ['Content-Type: application/json', 'X-Pusher-Library: pusher-http-php 7.2.6'],
        ]]));
        $status = (int) explode(' ', $http_response_header[0])[1];
        if ($status !== 200) {
            throw new ApiErrorException((string) $answer, $status);
        }

        return json_decode($answer);
    }
}
