<?php
namespace App\Providers;

use Illuminate\Auth\GenericUser;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\ServiceProvider;
use Pusher\Pusher;

class AppProvider extends ServiceProvider
{
    public function boot()
    {
        // Stands for the application's login.
        Auth::viaRequest('demo', function (Request $request) {
            $user = $request->bearerToken() ?: $request->input('user');

            return $user ? new GenericUser(['id' => $user, 'name' => $request->input('info', ucfirst($user))]) : null;
        });
        Broadcast::routes(['middleware' => ['auth:demo']]);
        $guards = ['guards' => ['demo']];
        Broadcast::channel('told', fn ($user) => request()->has('info') ? ['name' => $user->name] : true, $guards);
        Broadcast::channel('room', fn ($user) => ['name' => $user->name], $guards);
        Broadcast::channel('chat', fn ($user) => true, $guards);
        Broadcast::channel('appointments.{owner}', fn ($user, $owner) => $user->id === $owner, $guards);

        Route::post('/broadcasting/user-auth', function (Request $request) {
            $user = ['id' => $request->input('user')];
            if ($request->filled('watchlist')) {
                $user['watchlist'] = explode(',', $request->input('watchlist'));
            }

            return response($this->pusher()->authenticateUser($request->input('socket_id'), $user));
        });
        // What the story's backend does, by name.
        Route::post('/act', fn (Request $request) => response()->json(
            $this->act($request->input('name'), $request->input('with', []))
        ));
    }

    private function pusher(): Pusher
    {
        return Broadcast::driver('pusher')->getPusher();
    }

    private function act(string $name, array $with)
    {
        switch ($name) {
            case 'trigger':
                [$channels, $event, $data, $more] = $with;
                if (isset($more['info'])) {
                    return $this->pusher()->trigger($channels, $event, $data, $more);
                }
                // The way of every `broadcast()`: the driver that the application is configured with.
                Broadcast::driver()->broadcast($channels, $event, $data + ['socket' => $more['socket_id'] ?? null]);

                return new \stdClass();
            case 'batch':
                return $this->pusher()->triggerBatch($with[0]);
            case 'sendToUser':
                return $this->pusher()->sendToUser(...$with);
            case 'terminate':
                return $this->pusher()->terminateUserConnections($with[0]);
            case 'channels':
                return $this->pusher()->get('/channels', $with[0]);
            case 'channel':
                return $this->pusher()->get("/channels/$with[0]", $with[1]);
            case 'users':
                return $this->pusher()->get("/channels/$with[0]/users");
            case 'webhook':
                return $this->pusher()->webhook($with[0], $with[1]);
        }
        abort(404);
    }
}
