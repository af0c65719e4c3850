// Specs that run models: jest gives each spec file its own Float32Array and friends, which the native runtime does not
// recognise and does not return. This environment shares those of the process.
const { TestEnvironment } = require('jest-environment-node');

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    const numbers = [
      Uint8Array,
      Uint16Array,
      Uint32Array,
      BigUint64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      BigInt64Array,
    ];
    for (const one of [...numbers, Float32Array, Float64Array, ArrayBuffer]) this.global[one.name] = one;
  }
};
