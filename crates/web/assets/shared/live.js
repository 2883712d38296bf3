// The stream of a page: server-sent events while the tab is visible. After a loss it connects again with growing delays,
// and asks for the same JSON without a stream to learn the reason (401: the login page).

import { redirectToLogin } from "./fetch.js";

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;
const SILENCE_MS = 10_000;

/**
 * Follows `url`, a stream of JSON messages.
 * @template Message
 */
export class LiveStream {
	#options;
	/** @type {EventSource | null} */
	#source = null;
	/** @type {number | undefined} */
	#retryTimer;
	/** @type {number | undefined} */
	#silenceTimer;
	#retryMs = FIRST_RETRY_MS;
	#closed = false;
	#lastMessageAt = 0;

	/**
	 * @param {{
	 *   url: string,
	 *   jsonUrl: string,
	 *   onMessage: (message: Message) => void,
	 *   onState: (state: "live" | "lost" | "paused", retryAtMs?: number) => void,
	 * }} options `jsonUrl`: the same JSON without a stream
	 */
	constructor(options) {
		this.#options = options;
		document.addEventListener("visibilitychange", this.#onVisibility);
		this.#open();
	}

	close() {
		this.#closed = true;
		document.removeEventListener("visibilitychange", this.#onVisibility);
		this.#disconnect();
	}

	/** Connects at once. */
	retry() {
		this.#retryMs = FIRST_RETRY_MS;
		this.#open();
	}

	#disconnect() {
		this.#source?.close();
		this.#source = null;
		clearTimeout(this.#retryTimer);
		clearInterval(this.#silenceTimer);
	}

	#open() {
		this.#disconnect();
		if (this.#closed || document.hidden) return;
		const source = new EventSource(this.#options.url);
		this.#source = source;
		this.#lastMessageAt = Date.now();
		source.onmessage = (event) => this.#receive(event);
		source.onerror = () => {
			if (this.#source === source) this.#onLoss();
		};
		// Sleep or a cut cable ends a connection without an event.
		this.#silenceTimer = setInterval(() => {
			if (Date.now() - this.#lastMessageAt > SILENCE_MS) this.#onLoss();
		}, 2000);
	}

	/** @param {MessageEvent<string>} event */
	#receive(event) {
		this.#lastMessageAt = Date.now();
		this.#retryMs = FIRST_RETRY_MS;
		this.#options.onState("live");
		try {
			this.#options.onMessage(JSON.parse(event.data));
		} catch (fault) {
			console.warn("live", fault);
		}
	}

	#onLoss() {
		this.#disconnect();
		if (this.#closed) return;
		const delay = this.#retryMs * (0.8 + Math.random() * 0.4);
		this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
		this.#options.onState("lost", Date.now() + delay);
		this.#redirectIfLoggedOut();
		this.#retryTimer = setTimeout(() => this.#open(), delay);
	}

	#redirectIfLoggedOut() {
		const headers = { accept: "application/json" };
		fetch(this.#options.jsonUrl, { headers }).then(
			(answer) => {
				if (answer.status === 401) redirectToLogin();
			},
			() => {},
		);
	}

	#onVisibility = () => {
		if (document.hidden) {
			this.#disconnect();
			this.#options.onState("paused");
		} else if (!this.#source) this.retry();
	};
}
