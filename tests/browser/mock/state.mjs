// What the answers of the mock depend on: the scenario and the clock.

/** @typedef {"calm" | "busy" | "empty" | "broken" | "hostile"} Scenario */

/** Values that must stay text wherever they are shown. */
export const HOSTILE = [
	"<script>alert(1)</script>",
	'"><img src=x onerror=alert(1)>',
	"'; DROP TABLE users; --",
	"\u202eRTL \u05d0\u05d1\u05d2",
	"👩‍👩‍👧‍👦 🧨",
	"x".repeat(1024),
	"a/b?c=d#e%20%zz",
	"javascript:alert(1)",
	// biome-ignore lint/suspicious/noTemplateCurlyInString: must not be evaluated by any template language
	"{{7*7}} ${7*7}",
];

/** The user that no scenario has rows of. */
export const UNKNOWN_USER = "unknown-user";

export const FIRST_INSTANCE = {
	instance: "6f1c0a9be2d47713",
	host: "features-1",
	here: true,
};
export const SECOND_INSTANCE = {
	instance: "b83d51e07ac29f04",
	host: "features-2",
	here: false,
};

/**
 * Returns the instance that owns a partition.
 * @param {number} partition
 */
export const ownerOf = (partition) =>
	partition < 2 ? FIRST_INSTANCE : SECOND_INSTANCE;

/**
 * Returns a number between 0 and 1, the same for the same `n`: screenshots can be compared.
 * @param {number} n
 */
export function noise(n) {
	const x = Math.sin(n * 127.1 + 311.7) * 43758.5453;
	return x - Math.floor(x);
}

/**
 * Returns a number between 0 and 1 that goes up and down.
 * @param {number} step
 * @param {number} period
 */
export const wave = (step, period) => 0.5 + 0.5 * Math.sin(step / period);

/**
 * Returns a text as the bytes of a record.
 * @param {string} text
 */
export const recordBytes = (text) => ({
	text,
	utf8: true,
	bytes: new TextEncoder().encode(text).length,
});

const UPTIME_MS = (3 * 3600 + 12 * 60) * 1000;

export class MockState {
	/** @type {Scenario} */
	scenario;
	/** How far the mock's clock is ahead. */
	aheadMs = 0;
	/** The time at which the mock's clock stands still; null: it runs. @type {number | null} */
	frozenAtMs = null;
	#startedAt = Date.now() - UPTIME_MS;

	/** @param {Scenario} scenario */
	constructor(scenario) {
		this.scenario = scenario;
	}

	get startedAt() {
		if (this.frozenAtMs !== null) return this.frozenAtMs - UPTIME_MS;
		return this.#startedAt + this.aheadMs;
	}

	get now() {
		return this.frozenAtMs ?? Date.now() + this.aheadMs;
	}

	/** @param {Scenario} scenario */
	is(scenario) {
		return this.scenario === scenario;
	}

	/**
	 * Returns `value`, and in the empty scenario `empty`.
	 * @template Value
	 * @template Empty
	 * @param {Value} value
	 * @param {Empty} empty
	 */
	unlessEmpty(value, empty) {
		return this.is("empty") ? empty : value;
	}

	/**
	 * Returns `plain`, and in the hostile scenario a hostile value.
	 * @param {number} index
	 * @param {string} plain
	 */
	text(index, plain) {
		return this.is("hostile") ? HOSTILE[index % HOSTILE.length] : plain;
	}
}
