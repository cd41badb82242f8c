//! The requests that set a server up, and what it counts of itself.

use anyhow::{Context, ensure};
use http::{HeaderMap, Method};
use serde::Serialize;
use url::Url;

use super::{Call, Target};

pub(crate) struct Prepared {
    field: String,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: String,
}

/// Since the server's start; none where it does not tell.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counters {
    pub(crate) commits: Option<f64>,
    pub(crate) syncs: Option<f64>,
}

impl Prepared {
    #[cfg(test)]
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// # Errors
    /// The answer is no success.
    pub(crate) async fn send(self, http: &reqwest::Client) -> anyhow::Result<()> {
        let Self {
            field,
            method,
            url,
            headers,
            body,
        } = self;
        let request = http.request(method, url.clone()).headers(headers);
        let answer = request.body(body).send().await;
        let answer = answer.with_context(|| format!("{field}: {url} does not answer"))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        ensure!(
            status.is_success(),
            "{field}: {url} is answered {status}: {text}"
        );
        Ok(())
    }
}

impl Target {
    pub(crate) fn event_type_calls(&self, event_type: &str) -> anyhow::Result<Vec<Prepared>> {
        self.calls("event_type", &self.event_type, &[("type", event_type)])
    }

    /// `receiver`: where its deliveries go. `plugins`: a list in JSON.
    pub(crate) fn hook_calls(
        &self,
        event_type: &str,
        receiver: &str,
        plugins: &str,
    ) -> anyhow::Result<Vec<Prepared>> {
        let names = [
            ("type", event_type),
            ("receiver", receiver),
            ("plugins", plugins),
        ];
        self.calls("hook", &self.hook, &names)
    }

    fn calls(
        &self,
        field: &str,
        calls: &[Call],
        names: &[(&str, &str)],
    ) -> anyhow::Result<Vec<Prepared>> {
        let prepare = |(nth, call): (usize, &Call)| {
            let field = format!("{field}[{nth}]");
            let url_field = format!("{field}.url");
            let url = self.filled(&url_field, &call.url, names)?;
            Ok(Prepared {
                method: call
                    .method
                    .parse()
                    .with_context(|| format!("{field}.method"))?,
                url: Url::parse(&url).with_context(|| format!("{url_field}: {url:?} is no URL"))?,
                headers: self.header_map()?,
                body: self.filled(&format!("{field}.body"), &call.body, names)?,
                field,
            })
        };
        calls.iter().enumerate().map(prepare).collect()
    }

    /// What the server counted by now, if the description says where that stands.
    pub(crate) async fn counters(&self, http: &reqwest::Client) -> anyhow::Result<Counters> {
        let Some(metrics) = &self.metrics else {
            return Ok(Counters::default());
        };
        let url = self.url("metrics.url", &metrics.url)?;
        let request = http.get(url).headers(self.header_map()?);
        let text = request.send().await?.error_for_status()?.text().await?;
        let read = |name: &Option<String>| name.as_deref().and_then(|name| sum(&text, name));
        Ok(Counters {
            commits: read(&metrics.commits),
            syncs: read(&metrics.syncs),
        })
    }
}

/// Of all lines of this metric, whatever their labels.
fn sum(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest,
        };
        rest.strip_prefix(' ')?
            .split(' ')
            .next()?
            .parse::<f64>()
            .ok()
    });
    values.reduce(|all, value| all + value)
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn a_counter_is_the_sum_of_its_lines_and_of_no_others() {
        let text = "# TYPE a counter\na 5\nab 7\nb{x=\"}\"} 1\nb{x=\"2\"} 2 1764000000\n";
        assert_eq!(sum(text, "a"), Some(5.0));
        assert_eq!(sum(text, "b"), Some(3.0));
        assert_eq!(sum(text, "c"), None);
    }
}
