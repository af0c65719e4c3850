export { inspectOnnx, type InspectionFault } from './onnx-inspection';
export { COMPILED_MODEL_CHILD, ModelProcess, type ModelChild, type ModelLimits } from './model-process';
export { residentMiB } from './resident-memory';
