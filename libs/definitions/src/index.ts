export {
  canonicalJson,
  readDocuments,
  validateDefinition,
  versionOf,
  type DefinitionFault,
  type ValidationResult,
} from './documents';
export { UNTIL_RESUMED } from './endpoint';
export { readsAnyOf, requiredFieldsOf } from './expression-fields';
export { asNumber, checkExpression, compileExpression, type Expression, type Fields, type Scalar } from './expressions';
export {
  API_VERSION,
  kinds,
  ownerOf,
  referencesOf,
  type DataStream,
  type Definition,
  type DefinitionOf,
  type Endpoint,
  type FeatureView,
  type Kind,
  type Model,
  type Monitor,
  type TrainingPlan,
} from './kinds';
export {
  compileMetric,
  metricFieldsOf,
  type MetricExpression,
  type MetricRow,
  type MetricScalar,
  type MetricValue,
} from './metric-expressions';
export { boolValue, doubleValue, intValue, missing, scalarOf, stringValue, timeValue } from './records';
export { taskFaults, type FieldFault } from './task-faults';
