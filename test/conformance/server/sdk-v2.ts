import { randomBytes, randomUUID } from 'node:crypto';
import { type NodeMcpRequestHandler, toNodeHandler } from '@modelcontextprotocol/node';
import {
  type CallToolResult,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  isLegacyRequest,
  type JSONRPCMessage,
  type JsonSchemaType,
  McpServer,
  ProtocolError,
  ResourceNotFoundError,
  type ServerContext,
  type ServerNotifier,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { text } from './content.ts';
import { EventLog } from './event-log.ts';
import { answered, askFor, INPUT_REQUIRED_TOOLS, type Progress } from './input-required-tools.ts';
import { LEGACY_TOOLS } from './legacy-tools.ts';
import { completions, getPrompt, listPrompts } from './prompts.ts';
import { listResources, listResourceTemplates, readResource } from './resources.ts';
import { type ClientChannel, type ConformanceTool, NO_INPUT } from './tool.ts';
import { TOOLS } from './tools.ts';

const INFO = { name: 'sidegate-conformance-v2', version: '1.0.0' };
const INVALID_PARAMS = -32602;
/** What a client is told to wait before it comes back for the rest of a stream. */
const RETRY_MS = 100;
const ASKING_PROMPT = 'test_input_required_result_prompt';
