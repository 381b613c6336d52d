// What went wrong with a request, as a sentence: from the problem documents of the server.

export class Problem extends Error {
  /**
   * @param {string} message a sentence for people
   * @param {number} status of HTTP; 0 if there was no answer
   * @param {{field: string, message: string}[]} fields what is wrong in the request, part by part
   */
  constructor(message, status = 0, fields = []) {
    super(message);
    this.status = status;
    this.fields = fields;
  }

  /** Whether the same request may go better soon: there was no answer, or the server is busy. */
  get passing() {
    return [0, 429].includes(this.status) || (this.status >= 500 && this.status !== 507);
  }

  /** Make one from an answer that is an error. */
  static async from(response) {
    const body = await response.json().catch(() => ({}));
    return Problem.of(response.status, body);
  }

  static of(status, body) {
    const message = body.detail ?? body.title ?? `The server answers with error ${status}.`;
    const fields = (body.errors ?? []).map((error) => ({
      field: fieldOf(error),
      message: sentence(error.detail ?? error.message ?? message),
    }));
    return new Problem(sentence(message), status, fields);
  }
}

export const UNREACHABLE = "The server cannot be reached. Check the connection and try again.";

/** Where in the request: "params.confidence" from a JSON pointer, or from a path of names. */
function fieldOf(error) {
  const place = error.pointer ?? error.field ?? error.loc ?? "";
  const parts = Array.isArray(place) ? place : place.replace(/^#?\//, "").split(/[/.]/);
  return parts.filter((part) => part !== "body").join(".");
}

/** Begin with a capital letter and end with a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  const whole = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}
