<?php
// Debian keeps everything under /usr/share/php, which is on PHP's include path.
require_once 'Illuminate/autoload.php';
require_once 'Predis/autoload.php';
spl_autoload_register(function ($class) {
    foreach (['App\\' => 'app', 'Pusher\\' => 'pusher'] as $space => $folder) {
        if (strncmp($class, $space, strlen($space)) === 0) {
            $file = dirname(__DIR__)."/$folder/".strtr(substr($class, strlen($space)), '\\', '/').'.php';
            if (is_file($file)) {
                require $file;
            }
        }
    }
});
