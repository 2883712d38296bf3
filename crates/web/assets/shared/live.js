// The stream of a page: server-sent events while the tab is seen, tried again with growing pauses after a loss, and one
// look at the JSON twin to find out why (401 → the login page).

const FIRST_MS = 1000;
const LONGEST_MS = 15_000;
const SILENT_MS = 10_000;

/** Goes to the login page, and comes back here afterwards. */
export function toLogin() {
	if (!location.pathname.startsWith("/login"))
		location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
}

/**
 * Gets JSON, or sends it with `body`. Throws an `Error` whose message is for people; its `status` is the answer's, 0 where
 * there was none.
 */
export async function fetchJson(url, { body, method, signal } = {}) {
	let answer;
	try {
		answer = await fetch(url, {
			method: method ?? (body === undefined ? "GET" : "POST"),
			headers:
				body === undefined
					? { accept: "application/json" }
					: { accept: "application/json", "content-type": "application/json" },
			body: body === undefined ? undefined : JSON.stringify(body),
			signal,
		});
	} catch (fault) {
		if (fault.name === "AbortError") throw fault;
		throw Object.assign(
			new Error("The server does not answer. Is it still running?"),
			{ status: 0 },
		);
	}
	if (answer.status === 401) {
		toLogin();
		throw Object.assign(new Error("Log in first."), { status: 401 });
	}
	const said = await answer.json().catch(() => null);
	if (!answer.ok) {
		const why =
			Array.isArray(said?.errors) && said.errors.length > 0
				? said.errors.join("\n")
				: `The server answers ${answer.status} ${answer.statusText}.`;
		throw Object.assign(new Error(why), { status: answer.status });
	}
	if (said === null)
		throw Object.assign(
			new Error(
				"The server's answer is no JSON. Is something else on this port?",
			),
			{
				status: answer.status,
			},
		);
	return said;
}

/**
 * Follows `url` (`…/live`). `onData(value)` for each message; `onState("live" | "lost" | "paused", retryAtMs)`; `twin` is the
 * URL of the same as plain JSON. `events`: names of further event types, handed to `onEvent(name, value)`.
 * Returns `{ close(), retry() }`.
 */
export function live(
	url,
	{ onData, onState = () => {}, onEvent, events = [], twin },
) {
	let source = null;
	let timer = null;
	let watch = null;
	let pause = FIRST_MS;
	let closed = false;
	let heard = 0;

	function stop() {
		source?.close();
		source = null;
		clearTimeout(timer);
		clearInterval(watch);
	}

	function open() {
		stop();
		if (closed || document.hidden) return;
		const opened = new EventSource(url);
		source = opened;
		heard = Date.now();
		opened.onmessage = (message) =>
			take(() => onData(JSON.parse(message.data)));
		for (const name of events)
			opened.addEventListener(name, (message) =>
				take(() => onEvent?.(name, JSON.parse(message.data))),
			);
		opened.onerror = () => source === opened && lost();
		// A connection that died without a word (sleep, a cut cable) tells nothing by itself.
		watch = setInterval(
			() => Date.now() - heard > SILENT_MS && events.length === 0 && lost(),
			2000,
		);
	}

	function take(work) {
		heard = Date.now();
		pause = FIRST_MS;
		onState("live");
		try {
			work();
		} catch (fault) {
			console.warn("live", fault);
		}
	}

	function lost() {
		stop();
		if (closed) return;
		const wait = pause * (0.8 + Math.random() * 0.4);
		pause = Math.min(pause * 2, LONGEST_MS);
		onState("lost", Date.now() + wait);
		if (twin)
			fetch(twin, { headers: { accept: "application/json" } }).then(
				(answer) => answer.status === 401 && toLogin(),
				() => {},
			);
		timer = setTimeout(open, wait);
	}

	function seen() {
		if (document.hidden) {
			stop();
			onState("paused");
		} else if (!source) {
			pause = FIRST_MS;
			open();
		}
	}

	document.addEventListener("visibilitychange", seen);
	open();
	return {
		close() {
			closed = true;
			document.removeEventListener("visibilitychange", seen);
			stop();
		},
		retry() {
			pause = FIRST_MS;
			open();
		},
	};
}
