//! What browsers meet: the start page, other sites' pages, wrong addresses.

use super::*;

fn from(method: &str, target: &str, origin: &str) -> http::request::Builder {
    Request::builder().method(method).uri(target).header("origin", origin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_start_page_stands_alone_and_names_the_app() {
    let server = Server::start();
    let page = server.visit("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").contains("default-src 'none'; script-src 'sha256-"));
    assert!(page.text.contains("<code id=\"key\">first</code>") && !page.text.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn named_origins_may_call_and_others_may_not() {
    let site = "https://www.example.org";
    let server = Server::with(&[("cors.origins", site)]);
    let ask = async |origin: &str| {
        server.send(from("GET", "/v1/poll?channels=public-a", origin).body(Body::empty()).unwrap()).await
    };
    let named = ask(site).await;
    assert_eq!(named.header("access-control-allow-origin"), site);
    assert_eq!(named.header("access-control-allow-credentials"), "true");
    assert_eq!(named.header("vary"), "Origin");
    let other = ask("https://evil.test").await;
    assert_eq!(other.header("access-control-allow-origin"), "");
    assert_eq!(other.header("vary"), "Origin", "a cache must not give one site's answer to another");
    // A page must be able to read why it was refused.
    let refused = server.send(from("GET", "/v1/stats", site).body(Body::empty()).unwrap()).await;
    refused.refused(401, "unauthorized");
    assert_eq!(refused.header("access-control-allow-origin"), site);

    let preflight = async |origin: &str| {
        let request = from("OPTIONS", "/v1/publish", origin).header("access-control-request-method", "POST");
        server.send(request.body(Body::empty()).unwrap()).await
    };
    let named = preflight(site).await;
    assert_eq!((named.status.as_u16(), named.text.as_str()), (204, ""));
    assert!(named.header("access-control-allow-headers").contains("Authorization"));
    assert!(named.header("access-control-allow-methods").contains("POST"));
    preflight("https://evil.test").await.refused(403, "bad_origin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_origin_may_call_but_not_with_cookies() {
    let server = Server::with(&[("cors.origins", "*")]);
    let request = from("GET", "/v1/poll?channels=public-a", "https://any.test");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wrong_addresses_and_methods_are_problems_too() {
    let server = Server::start();
    let nowhere = server.visit("/v1/nowhere").await;
    nowhere.refused(404, "not_found");
    assert_eq!(nowhere.header("x-content-type-options"), "nosniff");
    let request = Request::put("/v1/publish").body(Body::empty()).unwrap();
    let otherwise = server.send(request).await;
    otherwise.refused(405, "method_not_allowed");
    assert_eq!(otherwise.header("allow"), "POST");
}
