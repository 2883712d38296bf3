// Validates answers against docs/openapi.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";

/** @import { ValidateFunction } from "ajv/dist/2020.js" */

/** @typedef {{ $ref?: string, content?: Record<string, unknown> }} ResponseDescription */
/** @typedef {{ tags: string[], responses: Record<string, ResponseDescription> }} Operation */
/** @typedef {Record<string, Operation>} PathItem */

/** @type {{ paths: Record<string, PathItem>, components: object }} */
export const DESCRIPTION = JSON.parse(
	readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"),
);

/**
 * Returns the schema with all its objects closed. Clients must accept fields that they do not know, so the description
 * allows them. An answer with such a field means here that the description is incomplete.
 * @param {unknown} schema
 * @returns {unknown}
 */
function closed(schema) {
	if (Array.isArray(schema)) return schema.map(closed);
	if (schema === null || typeof schema !== "object") return schema;
	const copy = Object.fromEntries(
		Object.entries(schema).map(([name, value]) => [name, closed(value)]),
	);
	const isObject =
		"properties" in copy && [copy.type].flat().includes("object");
	return isObject && !("additionalProperties" in copy)
		? { ...copy, additionalProperties: false }
		: copy;
}

const ajv = new Ajv2020({
	allErrors: true,
	strict: false,
	validateFormats: false,
});
ajv.addSchema(/** @type {object} */ (closed(DESCRIPTION)), "openapi");
/** @type {Map<string, ValidateFunction>} */
const validators = new Map();

/**
 * Returns the path of the description that a URL's path belongs to. A path without parameters goes first. Flink's API
 * has the same paths under `/v1`.
 * @param {string} path
 */
export function describedPath(path) {
	const plain = path.replace(/^\/v1\//, "/");
	if (plain in DESCRIPTION.paths) return plain;
	return Object.keys(DESCRIPTION.paths).find((template) =>
		new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(plain),
	);
}

/** @param {string} part */
const pointer = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");

/**
 * Returns the place of a response in the description, as a JSON pointer.
 * @param {string} method
 * @param {string} path
 * @param {number} status
 */
function responsePointer(method, path, status) {
	const template = describedPath(path);
	const operation = template && DESCRIPTION.paths[template][method];
	assert.ok(
		template && operation,
		`docs/openapi.json has no ${method} ${path}`,
	);
	const key =
		String(status) in operation.responses ? String(status) : "default";
	const response = operation.responses[key];
	assert.ok(
		response && (status >= 400 || key !== "default"),
		`docs/openapi.json has no status ${status} of ${method} ${path}`,
	);
	if (response.$ref) return `${response.$ref}/content/application~1json`;
	const [type] = Object.keys(response.content ?? {});
	return `#/paths/${pointer(template)}/${method}/responses/${key}/content/${pointer(type)}`;
}

/**
 * Asserts that an answer, or a message of a stream, is one that docs/openapi.json describes.
 * @param {string} method in lower case
 * @param {string} path without the query
 * @param {number} status
 * @param {unknown} answer
 */
export function mustBeDescribed(method, path, status, answer) {
	const place = `openapi${responsePointer(method, path, status)}/schema`;
	let validate = validators.get(place);
	if (!validate) {
		validate = ajv.compile({ $ref: encodeURI(place) });
		validators.set(place, validate);
	}
	if (validate(answer)) return;
	const found = (validate.errors ?? [])
		.slice(0, 10)
		.map(
			({ instancePath, message, params }) =>
				`${instancePath || "/"} ${message} ${JSON.stringify(params)}`,
		);
	assert.fail(
		`${method.toUpperCase()} ${path} ${status} is not as docs/openapi.json describes it:\n${found.join("\n")}`,
	);
}
