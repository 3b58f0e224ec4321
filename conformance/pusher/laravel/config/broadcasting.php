<?php
return ['default' => env('BROADCAST_DRIVER', 'pusher'), 'connections' => [
    'pusher' => [
        'driver' => 'pusher', 'key' => env('PUSHER_APP_KEY'), 'secret' => env('PUSHER_APP_SECRET'), 'app_id' => env('PUSHER_APP_ID'),
        'options' => [
            'host' => env('PUSHER_HOST'), 'port' => (int) env('PUSHER_PORT', 443), 'scheme' => env('PUSHER_SCHEME', 'https'),
            'encryption_master_key_base64' => env('PUSHER_MASTER_KEY'),
        ],
    ],
    'redis' => ['driver' => 'redis', 'connection' => 'default'],
]];
