<?php

/**
 * Tells the site's pages something, from PHP: through Redis, over HTTP, or by a file, whichever delivers first.
 *
 *   require_once 'send_notification.php';
 *   sendWebSocketNotification('New booking created', ['id' => 123]);
 *
 *   php send_notification.php <message> [type] [data_json]
 *
 * | variable                    | what                                                                   |
 * |-----------------------------|------------------------------------------------------------------------|
 * | REDIS_HOST, REDIS_PORT      | where Redis is; without a host that way is left out                     |
 * | REDIS_PASSWORD              | its password; `null` means none                                        |
 * | DESKBELL_URL                | where Deskbell is, http://127.0.0.1:8080 where nothing is said          |
 * | DESKBELL_APP_SECRET         | the app's secret; without one HTTP is left out                          |
 * | DESKBELL_SPOOL              | the folder that Deskbell reads files from; without one files are left out |
 *
 * Redis counts as delivered only if somebody was listening there. A message that is sent by more than one way has one
 * `id`, so a page can tell that it is the same.
 */

declare(strict_types=1);

/** Seconds that one way may take: a page waits for this. */
const WEBSOCKET_TIMEOUT = 2.0;

/**
 * Says whether the message was delivered to the server. `$host` and `$port` name Deskbell for this call.
 */
function sendWebSocketNotification(
    string $message,
    array $data = [],
    string $type = 'notification',
    ?string $host = null,
    ?int $port = null
): bool {
    $payload = json_encode([
        'type' => $type,
        'message' => $message,
        'data' => $data === [] ? new stdClass() : $data,
        'timestamp' => date('c'),
        'id' => 'php_' . bin2hex(random_bytes(12)),
    ], JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    if ($payload === false) {
        return false;
    }
    return websocketByRedis('notifications', $payload)
        || websocketByHttp($payload, $host, $port)
        || websocketByFile($payload);
}

/** A variable that is set and says something. */
function websocketSetting(string $name): ?string
{
    $value = getenv($name);
    return $value === false || in_array($value, ['', 'null', '(null)'], true) ? null : $value;
}

/** Publishes; true if at least one subscriber got it. */
function websocketByRedis(string $channel, string $payload): bool
{
    $host = websocketSetting('REDIS_HOST');
    if ($host === null) {
        return false;
    }
    // Kubernetes gives a service called redis a variable of this name that is an address.
    $port = websocketSetting('REDIS_PORT');
    $port = $port !== null && ctype_digit($port) ? $port : '6379';
    $socket = @stream_socket_client("tcp://$host:$port", $code, $why, WEBSOCKET_TIMEOUT);
    if ($socket === false) {
        return false;
    }
    stream_set_timeout($socket, (int) WEBSOCKET_TIMEOUT);
    try {
        $password = websocketSetting('REDIS_PASSWORD');
        if ($password !== null && websocketRedisCommand($socket, ['AUTH', $password]) !== '+OK') {
            return false;
        }
        $answer = websocketRedisCommand($socket, ['PUBLISH', $channel, $payload]);
        return $answer !== null && preg_match('/^:([0-9]+)$/', $answer, $found) === 1 && (int) $found[1] > 0;
    } finally {
        fclose($socket);
    }
}

/** One command and the line that answers it; null where there is none. */
function websocketRedisCommand($socket, array $words): ?string
{
    $command = '*' . count($words) . "\r\n";
    foreach ($words as $word) {
        $command .= '$' . strlen($word) . "\r\n" . $word . "\r\n";
    }
    for ($sent = 0; $sent < strlen($command); $sent += $wrote) {
        $wrote = @fwrite($socket, substr($command, $sent));
        if ($wrote === false || $wrote === 0) {
            return null;
        }
    }
    $line = fgets($socket, 1024);
    return $line === false ? null : rtrim($line, "\r\n");
}

/** Posts to Deskbell; true if it took the message. */
function websocketByHttp(string $payload, ?string $host, ?int $port): bool
{
    $secret = websocketSetting('DESKBELL_APP_SECRET');
    if ($secret === null) {
        return false;
    }
    $url = rtrim(websocketSetting('DESKBELL_URL') ?? 'http://127.0.0.1:8080', '/');
    if ($host !== null || $port !== null) {
        $url = 'http://' . ($host ?? '127.0.0.1') . ':' . ($port ?? 8080);
    }
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => "Content-Type: application/json\r\nAuthorization: Bearer $secret\r\nConnection: close",
        'content' => $payload,
        'timeout' => WEBSOCKET_TIMEOUT,
        'follow_location' => 0,
        'ignore_errors' => true,
    ]]);
    if (@file_get_contents("$url/wss-publish", false, $context) === false) {
        return false;
    }
    $status = $http_response_header[0] ?? '';
    return preg_match('#^HTTP/[0-9.]+ 2[0-9][0-9]\b#', $status) === 1;
}

/** Writes a file that is whole the moment it has its name; true if it lies there. */
function websocketByFile(string $payload): bool
{
    $folder = websocketSetting('DESKBELL_SPOOL');
    if ($folder === null || !is_dir($folder)) {
        return false;
    }
    // Two in one microsecond get different names, and the order stays that of the time.
    $name = sprintf('websocket_notification_%.6F%04d.json', microtime(true), random_int(0, 9999));
    $draft = "$folder/.$name." . getmypid();
    $wrote = @file_put_contents($draft, $payload);
    if ($wrote !== strlen($payload) || !@rename($draft, "$folder/$name")) {
        @unlink($draft);
        return false;
    }
    return true;
}

if (PHP_SAPI === 'cli' && realpath($_SERVER['SCRIPT_FILENAME'] ?? '') === __FILE__) {
    $arguments = array_slice($argv, 1);
    if ($arguments === []) {
        echo "Usage: php send_notification.php <message> [type] [data_json]\n";
        exit(1);
    }
    $data = isset($arguments[2]) ? json_decode($arguments[2], true) : [];
    if (!is_array($data)) {
        echo "Error: Invalid JSON data\n";
        exit(1);
    }
    $delivered = sendWebSocketNotification($arguments[0], $data, $arguments[1] ?? 'notification');
    echo $delivered ? "Notification sent successfully\n" : "Failed to send notification\n";
    exit($delivered ? 0 : 1);
}
