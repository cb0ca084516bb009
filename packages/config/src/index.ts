export {
  booleanSetting,
  choiceSetting,
  describeSettings,
  integerSetting,
  portSetting,
  readSettings,
  textSetting,
} from './settings.ts';
export type { SettingDefinition, SettingDefinitions, SettingValues } from './settings.ts';
