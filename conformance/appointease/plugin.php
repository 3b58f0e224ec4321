<?php
/* Plugin Name: Appointments of a clinic, told to Deskbell in the forms that plugins have used. */
add_action('rest_api_init', function () {
    register_rest_route('clinic/v1', '/book', ['methods' => 'POST', 'permission_callback' => '__return_true', 'callback' => 'clinic_book']);
});
function clinic_book(WP_REST_Request $request) {
    global $wpdb;
    $wpdb->insert($wpdb->prefix . 'appointments', ['email' => $request['email'], 'appointment_date' => $request['date'], 'employee_id' => 1]);
    $booked = ['appointment_id' => 'APT-2025-' . $wpdb->insert_id, 'customer' => ['name' => 'Ann', 'email' => $request['email']],
        'appointment' => ['date' => $request['date'], 'service' => 'Haircut', 'employee_id' => 1]];
    $told = ['event' => 'appointment.created', 'data' => $booked, 'timestamp' => time()];
    $headers = ['Authorization' => 'Bearer ' . DESKBELL_SECRET];
    if ($request['form'] === 'json') $headers['Content-Type'] = 'application/json';
    $body = $request['form'] === 'form' ? $told : wp_json_encode($told);
    wp_remote_post(DESKBELL . '/broadcast', ['body' => $body, 'headers' => $headers, 'timeout' => 1, 'blocking' => false]);
    return $booked;
}
add_action('template_redirect', function () {
    $api = ['root' => rest_url(), 'nonce' => wp_create_nonce('wp_rest'), 'wsUrl' => DESKBELL_WS, 'pollingInterval' => 400];
    echo '<!doctype html><title>Clinic</title><p id="mode"></p><ul id="heard"></ul><script>window.bookingAPI = ', wp_json_encode($api), '</script>',
        '<script src="', content_url('mu-plugins/page.js'), '"></script>';
    exit;
});
