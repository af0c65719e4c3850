// What the fields of definitions are made of.
import { parseDuration } from '@headrace/event-time';
import { z } from 'zod';
import { checkExpression } from './expressions';

export const Name = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,62}$/,
    'expected lower-case letters, digits and hyphens, beginning with a letter, at most 63',
  );
export const Identifier = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'expected letters, digits and underscores, at most 63');
export const TopicName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,200}$/, 'expected a Kafka topic name: letters, digits, ".", "_", "-"');

/** A duration such as "3h". Kept as text; read it with parseDuration. */
export const Duration = z.string().superRefine((text, context) => {
  try {
    parseDuration(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

/** CEL source; the variables it may name are said by its field. */
export const Cel = z
  .string()
  .min(1)
  .max(2_000)
  .superRefine((source, context) => {
    const fault = checkExpression(source);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `not a CEL expression: ${fault}` });
  });

export const Label = z.strictObject({
  stream: Name,
  /** Over `record`: bool or number. Joined by the record key. */
  expression: Cel,
});
