//! The routes that `docs/openapi.json` describes.
//!
//! Owns: the list of a router's paths and methods, which an axum router does not give away. Does not own: the handlers.

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;

/// A path with the handlers of its methods.
pub(crate) struct ApiRoute<S> {
    path: &'static str,
    methods: Vec<&'static str>,
    handlers: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> ApiRoute<S> {
    pub(crate) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self { path, methods: vec!["get"], handlers: MethodRouter::new().get(handler) }
    }

    pub(crate) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, S>) -> Self {
        Self { path, methods: Vec::new(), handlers: MethodRouter::new() }.and_post(handler)
    }

    pub(crate) fn and_post<T: 'static>(mut self, handler: impl Handler<T, S>) -> Self {
        self.methods.push("post");
        Self { handlers: self.handlers.post(handler), ..self }
    }

    pub(crate) fn and_patch<T: 'static>(mut self, handler: impl Handler<T, S>) -> Self {
        self.methods.push("patch");
        Self { handlers: self.handlers.patch(handler), ..self }
    }
}

/// Adds `routes` to the router, each under `prefix`.
pub(crate) fn add_routes<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    prefix: &str,
    routes: Vec<ApiRoute<S>>,
) -> Router<S> {
    routes.into_iter().fold(router, |router, route| router.route(&format!("{prefix}{}", route.path), route.handlers))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ApiRoute;

    /// Returns each method and path: `get /api/overview`.
    fn list_operations<S>(routes: &[ApiRoute<S>]) -> Vec<String> {
        routes.iter().flat_map(|route| route.methods.iter().map(|method| format!("{method} {}", route.path))).collect()
    }

    #[test]
    fn the_description_of_the_api_has_exactly_the_routes_of_the_servers() {
        let served: BTreeSet<String> = [
            list_operations(&crate::api::routes()),
            list_operations(&crate::health::routes()),
            list_operations(&crate::flink::routes()),
            list_operations(&crate::kafka::routes()),
        ]
        .concat()
        .into_iter()
        .collect();
        let description: serde_json::Value =
            serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("docs/openapi.json is JSON");
        let described: BTreeSet<String> = description["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("a path item").keys();
                methods.filter(|key| *key != "servers").map(move |method| format!("{method} {path}"))
            })
            .collect();
        let undescribed: Vec<&String> = served.difference(&described).collect();
        let unserved: Vec<&String> = described.difference(&served).collect();
        assert!(
            undescribed.is_empty() && unserved.is_empty(),
            "docs/openapi.json lacks {undescribed:?}, and describes {unserved:?}, which no server has"
        );
    }
}
