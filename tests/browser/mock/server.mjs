// The mock's HTTP server: files, JSON, streams, the login and savepoints.

import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { features, writtenRows } from "./features.mjs";
import { readAsset } from "./files.mjs";
import { overview } from "./overview.mjs";
import { checkpoints, partitions } from "./partitions.mjs";
import { pipeline } from "./pipeline.mjs";
import { problems } from "./problems.mjs";
import { MockState } from "./state.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { AddressInfo, Socket } from "node:net" */
/** @import { Scenario } from "./state.mjs" */

export const CSP =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGES = /^\/(partitions|checkpoints|features(\/.*)?|problems|pipeline)?$/;

/** @typedef {(state: MockState, query: URLSearchParams, withHistory: boolean) => unknown} Answer */

/** @type {Record<string, Answer>} */
const ANSWERS = {
	"/api/overview": (state, _query, withHistory) => overview(state, withHistory),
	"/api/partitions": partitions,
	"/api/checkpoints": checkpoints,
	"/api/features": (state, query) => features(state, query.get("user")),
	"/api/rows": writtenRows,
	"/api/problems": problems,
	"/api/pipeline": pipeline,
};

/** The paths with an answer of the mock's own. Most of them also have a stream. */
export const MOCK_PATHS = Object.keys(ANSWERS);

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {unknown} value
 */
function sendJson(response, status, value) {
	response.writeHead(status, {
		"content-type": "application/json",
		"cache-control": "no-store",
	});
	response.end(JSON.stringify(value));
}

/**
 * @param {ServerResponse} response
 * @param {string} path
 */
async function sendFile(response, path) {
	const file = await readAsset(path);
	if (!file) {
		sendJson(response, 404, { errors: [`no ${path}`] });
		return;
	}
	response.writeHead(200, {
		"content-type": file.contentType,
		"content-security-policy": CSP,
		"x-content-type-options": "nosniff",
		"content-encoding": "gzip",
	});
	response.end(gzipSync(file.content));
}

/**
 * @param {ServerResponse} response
 * @param {string} location
 */
function redirect(response, location, headers = {}) {
	response.writeHead(303, { location, ...headers });
	response.end();
}

/** @param {IncomingMessage} request */
async function readBody(request) {
	let body = "";
	for await (const chunk of request) body += chunk;
	return body;
}

/**
 * A server whose scenario, clock, token and connections a test may change at any time.
 */
export class MockServer extends MockState {
	/** Every connection is refused while this is set. */
	refusesConnections = false;
	/** The token that visitors need. @type {string | null} */
	token = null;
	/** The time between two messages of a stream. */
	messageMs = 1000;
	/** @type {Set<ServerResponse>} */
	streams = new Set();
	url = "";
	/** @type {Set<Socket>} */
	#sockets = new Set();
	/** @type {{ at: number, to: string | null }[]} */
	#savepoints = [];
	#server = createServer((request, response) =>
		this.#answer(request, response).catch((fault) =>
			sendJson(response, 500, { errors: [String(fault)] }),
		),
	);

	/** @param {number} port */
	async listen(port) {
		this.#server.on("connection", (socket) => {
			this.#sockets.add(socket);
			socket.on("close", () => this.#sockets.delete(socket));
		});
		await new Promise((resolve) =>
			this.#server.listen(port, "127.0.0.1", () => resolve(null)),
		);
		const address = /** @type {AddressInfo} */ (this.#server.address());
		this.url = `http://127.0.0.1:${address.port}`;
	}

	/** Cuts all connections. */
	drop() {
		for (const socket of this.#sockets) socket.destroy();
	}

	close() {
		this.drop();
		return new Promise((resolve) => this.#server.close(resolve));
	}

	/**
	 * @param {IncomingMessage} request
	 * @param {ServerResponse} response
	 */
	async #answer(request, response) {
		if (this.refusesConnections) {
			request.socket.destroy();
			return;
		}
		const { pathname: path, searchParams } = new URL(
			request.url ?? "/",
			"http://mock",
		);
		if (path.startsWith("/assets/"))
			return sendFile(response, path.slice("/assets/".length));
		if (path === "/login") return this.#answerLogin(request, response);
		if (this.token && !/windrow=1/.test(request.headers.cookie ?? "")) {
			if (path.startsWith("/api/"))
				sendJson(response, 401, { errors: ["log in"] });
			else redirect(response, "/login");
			return;
		}
		if (path.startsWith("/api/savepoints"))
			return this.#answerSavepoint(request, response, path);
		const live = path.endsWith("/live");
		const answer = ANSWERS[live ? path.slice(0, -"/live".length) : path];
		if (answer && live) this.#stream(response, answer, searchParams);
		else if (answer) {
			const withHistory = searchParams.get("history") !== "false";
			sendJson(response, 200, answer(this, searchParams, withHistory));
		} else if (PAGES.test(path)) return sendFile(response, "job/index.html");
		else sendJson(response, 404, { errors: [`no ${path}`] });
	}

	/**
	 * @param {IncomingMessage} request
	 * @param {ServerResponse} response
	 */
	async #answerLogin(request, response) {
		if (request.method === "GET") return sendFile(response, "login/login.html");
		const form = new URLSearchParams(await readBody(request));
		if (form.get("token") === this.token)
			redirect(response, "/", {
				"set-cookie": "windrow=1; HttpOnly; SameSite=Strict; Path=/",
			});
		else redirect(response, "/login?failed");
	}

	/**
	 * @param {IncomingMessage} request
	 * @param {ServerResponse} response
	 * @param {string} path
	 */
	async #answerSavepoint(request, response, path) {
		if (request.method === "POST") {
			const { to } = JSON.parse(await readBody(request));
			const number = this.#savepoints.push({ at: Date.now(), to });
			sendJson(response, 202, { request: `r${number}` });
			return;
		}
		const number = Number(path.split("/r").pop());
		const { at, to } = this.#savepoints[number - 1];
		const saved = Math.min(4, Math.floor((Date.now() - at) / 400));
		const place = `${to ?? "file:/var/lib/windrow/savepoints"}/20261125 1041-77aa`;
		const progress = { saved, partitions: 4, location: null, failure: null };
		if (to === "/forbidden") {
			const failure = "/forbidden: Permission denied (os error 13)";
			sendJson(response, 200, {
				...progress,
				status: "failed",
				saved: null,
				partitions: null,
				failure,
			});
		} else if (saved < 4)
			sendJson(response, 200, { ...progress, status: "in_progress" });
		else
			sendJson(response, 200, {
				...progress,
				status: "completed",
				location: place,
			});
	}

	/**
	 * @param {ServerResponse} response
	 * @param {Answer} answer
	 * @param {URLSearchParams} query
	 */
	#stream(response, answer, query) {
		response.writeHead(200, {
			"content-type": "text/event-stream",
			"cache-control": "no-store",
		});
		let count = 0;
		const send = () => {
			const message = answer(this, query, count % 10 === 0);
			count += 1;
			response.write(`data: ${JSON.stringify(message)}\n\n`);
		};
		send();
		const timer = setInterval(send, this.messageMs);
		this.streams.add(response);
		response.on("close", () => {
			clearInterval(timer);
			this.streams.delete(response);
		});
	}
}

/**
 * Starts a mock.
 * @param {{ port?: number, scenario?: Scenario }} [options]
 */
export async function startMock({ port = 0, scenario = "calm" } = {}) {
	const server = new MockServer(scenario);
	await server.listen(port);
	return server;
}
