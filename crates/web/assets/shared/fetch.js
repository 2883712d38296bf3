// Requests for JSON.

/** A failed request. Its message is meant for the page; `status` is the answer's, 0 where there was no answer. */
export class FetchError extends Error {
	/**
	 * @param {string} message
	 * @param {number} status
	 */
	constructor(message, status) {
		super(message);
		this.status = status;
	}
}

/** @param {unknown} fault */
export const isAbort = (fault) =>
	fault instanceof DOMException && fault.name === "AbortError";

/** @param {unknown} fault */
export const messageOf = (fault) =>
	fault instanceof Error ? fault.message : String(fault);

/**
 * Returns the status of a failed request: 0 where there was no answer, -1 where the fault is of another kind.
 * @param {unknown} fault
 */
export const statusOf = (fault) =>
	fault instanceof FetchError ? fault.status : -1;

/** Opens the login page, which leads back here. */
export function redirectToLogin() {
	if (!location.pathname.startsWith("/login"))
		location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
}

/**
 * Requests JSON, or sends JSON with `body`. Throws a {@link FetchError}.
 * @template Answer
 * @param {string} url
 * @param {{ body?: unknown, signal?: AbortSignal }} [options]
 * @returns {Promise<Answer>}
 */
export async function fetchJson(url, { body, signal } = {}) {
	const sends = body !== undefined;
	const answer = await fetch(url, {
		method: sends ? "POST" : "GET",
		headers: {
			accept: "application/json",
			...(sends ? { "content-type": "application/json" } : {}),
		},
		body: sends ? JSON.stringify(body) : undefined,
		signal,
	}).catch((fault) => {
		if (isAbort(fault)) throw fault;
		throw new FetchError("The server does not answer. Is it running?", 0);
	});
	if (answer.status === 401) {
		redirectToLogin();
		throw new FetchError("Log in first.", 401);
	}
	const json = await answer.json().catch(() => null);
	if (!answer.ok) {
		const errors = Array.isArray(json?.errors) ? json.errors.join("\n") : "";
		throw new FetchError(
			errors || `The server answers ${answer.status} ${answer.statusText}.`,
			answer.status,
		);
	}
	if (json === null)
		throw new FetchError(
			"The server's answer is no JSON. Does another server use this port?",
			answer.status,
		);
	return json;
}
