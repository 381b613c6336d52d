// The pictures of several streams over one connection: records of two integers of four bytes,
// highest byte first (position of the stream in the query, length), and the JPEG.

const HEAD_BYTES = 8;

/**
 * Hand on pictures until the server ends the connection or `signal` aborts it.
 * While one is being painted nothing is read, so the server sends no more than can be shown.
 *
 * @param {string[]} names
 * @param {AbortSignal} signal
 * @param {(position: number, picture: ImageBitmap) => void} paint
 */
export async function watch(names, signal, paint) {
  const query = new URLSearchParams(names.map((name) => ["stream", name]));
  const response = await fetch(`watch?${query}`, { signal, cache: "no-store" });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const bytes = new ByteReader(response.body.getReader());
  for (;;) {
    const head = await bytes.read(HEAD_BYTES);
    if (head === null) return;
    const numbers = new DataView(head.buffer);
    const jpeg = await bytes.read(numbers.getUint32(4));
    if (jpeg === null) return;
    paint(numbers.getUint32(0), await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })));
  }
}

/** Reads exact numbers of bytes from a stream of chunks of any length. */
class ByteReader {
  #reader;
  #rest = new Uint8Array(0);

  constructor(reader) {
    this.#reader = reader;
  }

  /** Return a fresh array of `count` bytes; null if the stream ends before. */
  async read(count) {
    const result = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read();
        if (done) return null;
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, count - filled);
      result.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return result;
  }
}
